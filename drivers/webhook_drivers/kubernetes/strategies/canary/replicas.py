"""How a canary's pods and those of people's own Deployment share the wanted number.

Each move looks at both Deployments and does the next missing thing: then it gives None, and they
are to be looked at again. Or nothing is missing, and it says how far the cluster is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, is_seen, progress
from webhook_drivers.kubernetes.images.workloads import annotation, dig, with_metadata
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.counts import Count
from webhook_drivers.kubernetes.strategies.second.deployment import CANARY, COLOR, DEPLOYMENT
from webhook_drivers.kubernetes.strategies.strategy import Task
from webhook_service import DriverError
from webhook_service.failpoints import failpoint

REPLICAS = "webhook-service.io/canary-replicas"
"""On people's Deployment: how many pods they want, see ``Count``."""
GRACE = 2.0
"""On the way back: for how many seconds the canary keeps the pods that nothing makes up for yet."""
STEP = "webhook-service.io/step"
"""On the second Deployment: the step, and when it was reached. On people's: all steps are done."""
UNNOTED: Mapping[str, str | None] = {REPLICAS: None, STEP: None, **unfinished_mark.UNMARKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """People's Deployment and the canary, as they are now.

    Args:
        service, preview: where the Services are.
    """

    task: Task
    main: Json
    canary: Json | None
    service: Address
    preview: Address | None

    @property
    def home(self) -> Address:
        """Where people's Deployment is."""
        return self.task.push.address

    @property
    def other(self) -> Address:
        """Where the canary is."""
        return address(self.task)

    @property
    def total(self) -> int:
        """How many pods people want."""
        return self.count.wanted

    @property
    def count(self) -> Count:
        return Count.read(self.main, REPLICAS)

    @property
    def is_noted(self) -> bool:
        """Whether people's Deployment says that its pods are shared out."""
        marked = unfinished_mark.is_of(self.main, self.task.push.repository)
        return marked or annotation(self.main, REPLICAS) is not None

    @property
    def live(self) -> Json | None:
        """The Service; None if somebody has deleted it, or pointed it elsewhere."""
        found = routing.find(self.task.cluster, self.service)
        return found if found and routing.sends_to(found, self.main) else None

    def create(self, images: Mapping[str, str], push: str, stale: str | None) -> Progress | None:
        """Make the canary, without pods yet.

        Args:
            images: what its containers are to run, and ``push``: what its pods are to name.
            stale: see ``rollout.progress``.
        """
        seen = progress(DEPLOYMENT.resource.kind, self.main, stale)
        if not seen.complete:
            return _going(f"the rollout of {self.home} is not complete: {seen.message}")
        repository = self.task.push.repository
        made = deployment.made_of(self.main, self.other, CANARY, repository, images, push)
        made["metadata"]["annotations"][STEP] = _note_text(0, None)
        failpoint("deployment.before")
        self.task.cluster.create(self.other, made)
        failpoint("deployment.sent")
        return None

    def give(self, canary: Json, weight: int) -> Progress | None:
        """Give so many pods to the canary first, and take them from the others then."""
        wanted = self.total
        share = share_of(wanted, weight)
        rest = wanted - share if weight == 100 else max(wanted - share, min(wanted, 1))
        has = deployment.wanted(canary)
        if has < share or (has > share and self.count.anew):
            return self._scale(canary, self.other, share)
        if (seen := self._reached(canary)) is None or not seen.complete:
            return seen
        if deployment.wanted(self.main) != rest:
            return self._share(rest)
        pods = dig(self.main, "status").get("replicas") or 0
        if not is_seen(self.main) or pods > deployment.wanted(self.main):
            return _going(f"{share} of {wanted} pods are new; others are to end")
        return Progress(Stage.COMPLETE, f"{share} of {wanted} pods are new")

    def cover(self, canary: Json) -> Progress | None:
        """Let the canary make up for the pods that a rolling update of the others may miss."""
        if deployment.wanted(canary) < (missing := _unavailable(self.main, self.total)):
            return self._scale(canary, self.other, missing)
        return progress(DEPLOYMENT.resource.kind, canary)

    def shrink(self, seconds: float) -> bool:
        """On the way back, take from the canary what people's own Deployment makes up for.

        After a moment it loses the rest too, unless it has most of the pods: people who go back
        want its traffic gone, and would rather be some pods short than without any.

        Args:
            seconds: since when it goes back.

        Returns:
            Whether something was done.
        """
        canary, wanted = self.canary, self.total
        if canary is None or deployment.wanted(self.main) != wanted:
            return False
        own = self._own()
        serves = routing.ready(
            self.task.cluster, self.service, deployment.pods_of(self.main, {COLOR: CANARY})
        )
        missed = max(wanted - own, 0)
        if not serves or (seconds >= GRACE and 2 * own >= wanted):
            missed = 0
        if deployment.wanted(canary) <= missed:
            return False
        self._scale(canary, self.other, missed)
        return True

    def rest(self, stale: str | None) -> Progress | None:
        """All wanted pods in people's own Deployment, then nothing of ours."""
        main, canary, wanted = self.main, self.canary, self.total
        if deployment.wanted(main) != wanted:
            return self._share(wanted)
        seen = progress(DEPLOYMENT.resource.kind, main, stale)
        idle = canary is not None and deployment.is_empty(canary)
        if not (seen.complete or idle) and (canary is None or not deployment.refusal(main)):
            return seen
        if canary is not None and not idle:
            found = self._own()
            if not seen.complete and max(wanted - found, 0) < deployment.wanted(canary):
                # There is no room for both: the canary makes it, as far as it can be missed.
                return self._scale(canary, self.other, max(wanted - found, 0))
            if found < wanted and self.live is not None:
                return _going(f"{self.service} sends to {found} of {wanted} pods")
        if self.preview and (live := routing.find(self.task.cluster, self.preview)):
            if routing.is_touched(live):
                return self._aim(self.preview, live, {})
        if canary is not None:
            failpoint("remove.before")
            self.task.cluster.delete(self.other, uid=canary["metadata"]["uid"])
            failpoint("remove.sent")
            return None
        if self.is_noted:
            return self._write(self.home, with_metadata({}, _version(main), UNNOTED))
        return seen

    def note(self, canary: Json, number: int, at: float | None) -> None:
        """Write down the step, and when it was reached."""
        noted = with_metadata({}, _version(canary), {STEP: _note_text(number, at)})
        self._write(self.other, noted)

    def _reached(self, canary: Json) -> Progress | None:
        """Whether all pods of the canary run, and the Services send to them."""
        deployment.refuse_unplaced(canary, self.other)
        seen = progress(DEPLOYMENT.resource.kind, canary)
        if seen.failed:
            raise DriverError(f"{self.other}: {seen.message}", code="rollout_failed")
        if not seen.complete:
            return seen
        if self.preview:
            live = self.task.cluster.get(self.preview)
            if routing.narrowed(live) != {COLOR: CANARY}:
                return self._aim(self.preview, live, {COLOR: CANARY})
        pods = deployment.pods_of(self.main, {COLOR: CANARY})
        for service in filter(None, (self.service, self.preview)):
            found = routing.ready(self.task.cluster, service, pods)
            if found < deployment.wanted(canary):
                self._refuse_lost(service)
                return _going(f"{service} sends to {found} of the new pods")
        return seen

    def _refuse_lost(self, service: Address) -> None:
        """
        Raises:
            DriverError: somebody has deleted a Service, or pointed it elsewhere.
        """
        live = routing.find(self.task.cluster, service)
        if live is None:
            raise DriverError(f"{service} was deleted meanwhile.", code="not_found")
        if not routing.sends_to(live, self.main):
            raise DriverError(routing.astray(live, service, self.home), code="unfit")

    def _own(self) -> int:
        """How many pods of people's own Deployment the Service sends to."""
        own = pod_selector.as_text(pod_selector.of(self.main), without=COLOR)
        return routing.ready(self.task.cluster, self.service, own)

    def _aim(self, where: Address, live: Json, to: Mapping[str, str]) -> Progress | None:
        return self._write(where, routing.moved(live, to, None))

    def _share(self, replicas: int) -> Progress | None:
        """Leave people's Deployment so many pods, and write down how many they want."""
        patch: Json = {"spec": {"replicas": replicas}}
        notes = {REPLICAS: self.count.leaving(replicas)}
        return self._write(self.home, with_metadata(patch, _version(self.main), notes))

    def _scale(self, obj: Json, where: Address, replicas: int) -> Progress | None:
        patch: Json = {"spec": {"replicas": replicas}}
        return self._write(where, with_metadata(patch, _version(obj), {}))

    def _write(self, where: Address, patch: Json) -> Progress | None:
        failpoint("canary.before")
        self.task.cluster.patch(where, patch)
        failpoint("canary.sent")
        return None


def address(task: Task) -> Address:
    """Where the canary of a push is."""
    return deployment.address(task.push.address, CANARY)


def share_of(wanted: int, weight: int) -> int:
    """So many per cent of the wanted pods, rounded up."""
    return max(ceil(wanted * weight / 100), 1) if wanted else 0


def noted(canary: Json) -> tuple[int, float | None]:
    """The step and when it was reached; what people broke begins anew."""
    try:
        found = json.loads(annotation(canary, STEP) or "{}")
        at = found.get("at")
        return max(int(found.get("step", 0)), 0), None if at is None else float(at)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return 0, None


def _note_text(number: int, at: float | None) -> str:
    return json.dumps({"step": number} | ({"at": at} if at is not None else {}), sort_keys=True)


def _unavailable(obj: Json, total: int) -> int:
    """How many pods a rolling update of a Deployment may miss, rounded as its controller does."""
    strategy = dig(obj, "spec", "strategy")
    if strategy.get("type") == "Recreate":
        return total
    limits = dig(strategy, "rollingUpdate")
    said = limits.get("maxUnavailable", 0)
    count = said if isinstance(said, int) else floor(int(said.rstrip("%")) * total / 100)
    return min(max(count, 0 if limits.get("maxSurge") not in (0, "0%") else 1), total)


def _going(message: str) -> Progress:
    return Progress(Stage.GOING, message)


def _version(obj: Json) -> str:
    return str(obj["metadata"]["resourceVersion"])
