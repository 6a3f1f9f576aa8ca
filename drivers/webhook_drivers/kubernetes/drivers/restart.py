"""The driver ``restart``: a push replaces a workload's pods, although their images stay.

For what pods read when they start: a new base image, a package of configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.containers import Sought, advice
from webhook_drivers.kubernetes.images.push_record import is_newer
from webhook_drivers.kubernetes.images.rollout import deadline_mark, is_paused, progress
from webhook_drivers.kubernetes.images.stopwatch import Stopwatch
from webhook_drivers.kubernetes.images.target_config import ClusterConfig, DnsLabel, DnsSubdomain
from webhook_drivers.kubernetes.images.workloads import (
    WORKLOADS,
    Workload,
    annotation,
    containers,
    image_patch,
    template_annotation,
    with_metadata,
)
from webhook_drivers.v16 import LegacyPush
from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    Outcome,
    Plan,
    PushEvent,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.failpoints import failpoint

RESTART = "webhook-service.io/restart"
"""On the pod template: the identity of the push that restarted it."""
RESTARTED = "webhook-service.io/restarted"
"""On the workload: the same with its order key, as JSON."""
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class RestartConfig(ClusterConfig, LegacyPush):
    """Which workload a push restarts."""

    namespace: DnsLabel = Field(description="The namespace of the workload.")
    name: DnsSubdomain = Field(description="The name of the workload.")
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"] = Field(
        default="Deployment", description="What the workload is."
    )
    timeout_seconds: int = Field(
        default=600, ge=1, le=86400, description="How long the restart may take."
    )

    @property
    def workload(self) -> Workload:
        return WORKLOADS[self.kind]

    @property
    def address(self) -> Address:
        return Address(self.workload.resource, self.namespace, self.name)


class Restarted(BaseModel):
    """The newest push that restarted a workload."""

    model_config = ConfigDict(frozen=True)

    identity: str = ""
    order_key: str = ""
    before: str | None = None

    @classmethod
    def read(cls, obj: Json) -> Restarted:
        """What people broke is treated as absent."""
        try:
            return cls.model_validate_json(annotation(obj, RESTARTED) or "{}")
        except ValidationError:
            return cls()

    def change(self, address: Address) -> Change:
        field = f"template.metadata.annotations[{RESTART}]"
        return Change(str(address), field, self.before, self.identity)


class Restart(ClusterDriver[RestartConfig]):
    """Restarts a Deployment, StatefulSet or DaemonSet once per push, and follows the rollout."""

    Config: ClassVar[type[DriverConfig]] = RestartConfig
    rights = tuple(Right(WORKLOADS[kind].resource, ("get", "patch")) for kind in KINDS)

    def targets(self, config: RestartConfig, context: Context) -> tuple[str, ...]:
        return self.target(config, config.namespace, config.kind, config.name)

    def slot(self, config: RestartConfig, event: PushEvent) -> str:
        """Of any repository: a restart serves all that was pushed before it."""
        return f"{config.cluster or ''}/{config.namespace}/{config.kind}/{config.name}/restart"

    def execute(self, config: RestartConfig, event: PushEvent, context: Context) -> Outcome:
        if context.state:
            obj = self.cluster(config, context).get(config.address)
            return self._follow(config, obj, context)
        return optimistically(config.address, lambda: self._start(config, event, context))

    def problems(self, config: RestartConfig, context: Context) -> Iterable[str]:
        cluster, address = self.cluster(config, context), config.address
        rights = [right for right in self.rights if right.resource == address.resource]
        if denied := missing(cluster, rights, address.namespace, address.name):
            return denied
        cluster.get(address)
        return ()

    def preview(self, config: RestartConfig, event: PushEvent, context: Context) -> Plan:
        obj = self.cluster(config, context).get(config.address)
        _refuse(config, obj, event, context)
        if context.identity and Restarted.read(obj).identity == context.identity:
            return Plan(notes=(f"{config.address} was restarted by this push already.",))
        return Plan((_next(config, obj, context).change(config.address),))

    def _start(self, config: RestartConfig, event: PushEvent, context: Context) -> Outcome:
        cluster, address = self.cluster(config, context), config.address
        obj = cluster.get(address)
        known = Restarted.read(obj)
        if is_newer(known.order_key, context.order_key, self._now()):
            raise Superseded(f"{address} was restarted by a newer push already.")
        if known.identity == context.identity and known.order_key == context.order_key:
            return self._wait(config, known, context, None, "it goes on")
        if known.identity == context.identity:
            return Unchanged(f"{address} was restarted by this push already.")
        _refuse(config, obj, event, context)
        restarted = _next(config, obj, context)
        failpoint("restart.read")
        cluster.patch(address, _patch(config, obj, restarted))
        failpoint("restart.patched")
        return self._wait(config, restarted, context, deadline_mark(obj), "it begins")

    def _follow(self, config: RestartConfig, obj: Json, context: Context) -> Outcome:
        restarted, stale = Restarted.read(obj), context.state.get("stale")
        change = restarted.change(config.address)
        seen = progress(config.kind, obj, stale)
        if seen.complete:
            return Done((change,), f"{config.address} was restarted: {seen.message}.")
        late = Stopwatch.read(context.state, self._now()).elapsed >= config.timeout_seconds
        if seen.failed or late:
            how = "failed" if seen.failed else f"did not end within {config.timeout_seconds} s"
            raise DriverError(
                f"The restart of {config.address} {how}: {seen.message.rstrip('.')}.",
                code="rollout_failed" if seen.failed else "rollout_timeout",
                changes=(change,),
            )
        return self._wait(config, restarted, context, stale, seen.message)

    def _wait(
        self,
        config: RestartConfig,
        restarted: Restarted,
        context: Context,
        stale: str | None,
        message: str,
    ) -> Wait:
        watch = Stopwatch.read(context.state, self._now())
        state = {**watch.as_json(), "stale": stale}
        return Wait(watch.pause, state, message, (restarted.change(config.address),))


def _next(config: RestartConfig, obj: Json, context: Context) -> Restarted:
    before = template_annotation(config.workload, obj, RESTART)
    return Restarted(identity=context.identity, order_key=context.order_key, before=before)


def _patch(config: RestartConfig, obj: Json, restarted: Restarted) -> Json:
    patch = image_patch(config.workload, obj, (), {RESTART: restarted.identity})
    noted = json.dumps(restarted.model_dump(), separators=(",", ":"))
    return with_metadata(patch, obj["metadata"]["resourceVersion"], {RESTARTED: noted})


def _refuse(config: RestartConfig, obj: Json, event: PushEvent, context: Context) -> None:
    """Whoever has the URL may restart for a repository that the receiver names or the pods run."""
    if is_paused(config.kind, obj):
        raise DriverError(
            f"{config.address} is paused, so nothing was changed: resume it and replay.",
            code="paused",
        )
    unfinished_mark.refuse(obj, config.address, "restart", "")
    sought = Sought.of(event, context)
    images = [item.image for item in containers(config.workload, obj)]
    if not context.named and not any(map(sought.runs_in, images)):
        otherwise = "name the repository with its registry in `match.repositories`."
        raise TargetConflict(
            f"No container of {config.address} runs {sought.pushed}, so nothing was changed: "
            f"{advice(sought.pushed, images) or otherwise}"
        )
