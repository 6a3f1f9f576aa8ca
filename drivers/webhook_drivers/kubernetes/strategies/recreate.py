"""The strategy ``recreate``: all old pods end before a new one starts.

A Deployment does it by itself, as type Recreate. A StatefulSet is scaled to zero and back: the
wanted number of pods stands in an annotation, written in the same PATCH that scales down.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images import kubectl_undo, pods
from webhook_drivers.kubernetes.images.rollout import (
    Progress,
    Stage,
    deadline_mark,
    ending,
    is_seen,
    number,
    progress,
)
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.unfinished_mark import DRAINED, drained_by
from webhook_drivers.kubernetes.images.workloads import (
    Workload,
    annotation,
    dig,
    with_metadata,
    with_spec,
)
from webhook_drivers.kubernetes.strategies.strategy import Look, Step, Strategy, Task
from webhook_service import DriverError, TargetConflict
from webhook_service.failpoints import failpoint

STRATEGY = "webhook-service.io/strategy"
"""A Deployment's own strategy, to be put back."""
RECREATE: Mapping[str, Any] = {"strategy": {"type": "Recreate", "rollingUpdate": None}}
UNFIT = {
    "DaemonSet": "a DaemonSet cannot stop all its pods at once: use the strategy rolling",
    "CronJob": "a CronJob has no running pods to replace: use the strategy rolling",
}
# A partition or OnDelete does not apply where every pod is new.
WHOLE = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


class Recreate(Strategy):
    """Stop all old pods, then start the new ones: versions never mix, and there is downtime.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#recreate-deployment
    """

    rights: ClassVar[tuple[Right, ...]] = (pods.RIGHT, pods.READ_EVENTS, kubectl_undo.RIGHT)

    type: Literal["recreate"] = Field(
        default="recreate", description="Stop all old pods, then start the new ones."
    )
    restore_strategy: bool = Field(
        default=False,
        description="Put the Deployment's own strategy back when the rollout has ended.",
    )

    def unfit(self, workload: Workload) -> str | None:
        kind = workload.resource.kind
        if kind in ("Deployment", "StatefulSet") and not workload.custom:
            return None
        return UNFIT.get(kind, f"a {kind} cannot be recreated: use the strategy rolling")

    def is_shown_by(self, workload: Workload) -> bool:
        # A StatefulSet is scaled down and up between, and a strategy that is put back is written.
        return workload.resource.kind == "Deployment" and not self.restore_strategy

    def problems(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        return [_partitioned(address)] if _partition(obj) else []

    def look(self, task: Task) -> Look:
        return Look(task.cluster.get(task.push.address))

    def first_patch(self, task: Task, look: Look) -> Json:
        return task.push.patch(look.obj, RECREATE if task.push.kind == "Deployment" else {})

    def begin(self, task: Task, look: Look, state: RolloutState) -> Step:
        obj = look.obj
        if task.push.kind == "Deployment":
            notes = self._own_strategy(obj)
            return self._applied(task, task.apply(task.push.patch(obj, RECREATE, notes)), state)
        if _partition(obj):
            raise DriverError(_partitioned(task.push.address), code="partitioned")
        if _wanted(obj):
            drained = task.patch(task.push.claim(obj, *_drain(task, obj)))
            failpoint("drain.scaled")
            return self.follow(task, Look(drained), state)
        if _is_drained(task, obj):
            return self.follow(task, Look(task.patch(task.push.claim(obj))), state)
        return self._applied(task, task.apply(task.push.patch(obj)), state)

    def follow(self, task: Task, look: Look, state: RolloutState) -> Step:
        obj = look.obj
        if not _is_drained(task, obj):
            task.push.refuse_foreign(obj, state)
            return self._judged(task, look, state, state.stale_deadline)
        self._refuse_scaled(task, obj, state)
        if left := _left(obj):
            return Step(look, state.having(stage="draining"), left)
        patched = task.apply(task.push.patch(obj, *_refill(obj)))
        return self._applied(task, patched, state.at("starting", task.now()))

    def is_beside(self, task: Task, look: Look) -> bool:
        """Whether the wanted number of pods stands in an annotation only."""
        return _is_drained(task, look.obj)

    def tidy(self, task: Task, look: Look) -> Progress | None:
        """Give a StatefulSet its pods back, where a push was left that had stopped them."""
        if not _is_drained(task, look.obj):
            return None
        patch, notes = _refill(look.obj)
        version = look.obj["metadata"].get("resourceVersion")
        failpoint("refill.before")
        task.patch(with_metadata(with_spec({}, patch), version, notes))
        failpoint("refill.sent")
        return Progress(Stage.GOING, "its pods are started again", 0.1)

    def undo(self, task: Task, look: Look, state: RolloutState) -> Step:
        push, obj = task.push, look.obj
        if push.kind == "Deployment":
            patched = task.undo(push.undo_patch(obj, state, RECREATE))
        elif _is_drained(task, obj):
            patched = task.undo(push.undo_patch(obj, state, *_refill(obj)))
        elif _wanted(obj):
            patched = task.undo(push.hold_patch(obj, state, *_drain(task, obj)))
            failpoint("drain.scaled")
        else:
            patched = task.undo(push.undo_patch(obj, state))
        return self.retreat(task, Look(patched), state)

    def retreat(self, task: Task, look: Look, state: RolloutState) -> Step:
        obj = look.obj
        if not _is_drained(task, obj):
            task.push.refuse_foreign(obj, state)
            return self._judged(task, look, state, deadline_mark(obj))
        if not _wanted(obj) and (left := _left(obj)):
            return Step(look, state.having(stage="draining"), left)
        patched = task.undo(task.push.undo_patch(obj, state, *_refill(obj)))
        return self.retreat(task, Look(patched), state.at("starting", task.now()))

    def _applied(self, task: Task, patched: Json, state: RolloutState) -> Step:
        # Read back, because admission plug-ins may rewrite images.
        expected = task.push.images(patched, state.previous)
        return self.follow(task, Look(patched), state.having(expected=expected))

    def _judged(self, task: Task, look: Look, state: RolloutState, stale: str | None) -> Step:
        obj = look.obj
        if other := drained_by(obj):
            waiting = f"waiting for the push of {other} that has stopped the pods"
            return Step(look, state, Progress(Stage.GOING, waiting))
        whole = {**obj, "spec": {**dig(obj, "spec"), "updateStrategy": WHOLE}}
        seen = progress(task.push.kind, whole, stale)
        if seen.complete and annotation(obj, STRATEGY):
            look = Look(self._restore(task, obj))
        return Step(look, state, seen)

    def _own_strategy(self, obj: Json) -> Mapping[str, str | None]:
        own = dig(obj, "spec", "strategy")
        if not self.restore_strategy or own.get("type") == "Recreate":
            return {}
        return {STRATEGY: json.dumps(own, sort_keys=True)}

    def _restore(self, task: Task, obj: Json) -> Json:
        """Put the noted strategy back, unless somebody has set another one meanwhile."""
        noted = _noted(obj)
        mine = dig(obj, "spec", "strategy").get("type") == "Recreate"
        patch = with_spec({}, {"strategy": noted} if noted and mine else {})
        version = obj["metadata"].get("resourceVersion")
        failpoint("restore.before")
        restored = task.patch(with_metadata(patch, version, {STRATEGY: None}))
        failpoint("restore.sent")
        return restored

    def _refuse_scaled(self, task: Task, obj: Json, state: RolloutState) -> None:
        if replicas := _wanted(obj):
            raise TargetConflict(
                f"{task.push.address} was scaled to {replicas} by somebody else while its old "
                f"pods ended, so {task.push.image} was not deployed. Push again to deploy it.",
                changes=state.changes,
            )


def _wanted(obj: Json) -> int:
    return number(dig(obj, "spec"), "replicas", 1)


def _is_drained(task: Task, obj: Json) -> bool:
    return drained_by(obj) == task.push.repository


def _drain(task: Task, obj: Json) -> tuple[Json, Mapping[str, str | None]]:
    return {"replicas": 0}, {DRAINED: f"{_wanted(obj)} {task.push.repository}"}


def _refill(obj: Json) -> tuple[Json, Mapping[str, str | None]]:
    """The noted number of pods; one that people have set meanwhile stays."""
    noted = (annotation(obj, DRAINED) or "").partition(" ")[0]
    return {"replicas": _wanted(obj) or int(noted if noted.isdecimal() else 1)}, {DRAINED: None}


def _left(obj: Json) -> Progress | None:
    """How many pods are still to end; None when all have."""
    if not is_seen(obj):
        return Progress(Stage.GOING, "waiting for the controller to see the change")
    pods = number(dig(obj, "status"), "replicas")
    return Progress(Stage.GOING, ending(pods)) if pods else None


def _noted(obj: Json) -> Json:
    try:
        noted = json.loads(annotation(obj, STRATEGY) or "{}")
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _partition(obj: Json) -> int:
    return number(dig(obj, "spec", "updateStrategy", "rollingUpdate"), "partition")


def _partitioned(address: Address) -> str:
    return (
        f"{address} has a partition, so some pods would keep the old version: set "
        "spec.updateStrategy.rollingUpdate.partition to 0 to recreate it."
    )
