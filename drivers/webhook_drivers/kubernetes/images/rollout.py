"""How far a rollout is, read from a workload's status. Pure functions over the API's JSON.

The rules are those of ``kubectl rollout status``:
https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from webhook_drivers.kubernetes.api.faults import QUOTA, RAISE_QUOTA
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.workloads import dig

DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
ROLLED_OUT = "NewReplicaSetAvailable"


class Stage(StrEnum):
    """``PAUSED`` waits on purpose, and ``SETTLED`` only tidies up: neither has a deadline."""

    COMPLETE = "complete"
    GOING = "going"
    PAUSED = "paused"
    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rollout stands; ``message`` says how far it is, or why it failed.

    Attributes:
        after: in how many seconds to look again, where the strategy knows it.
    """

    stage: Stage
    message: str
    after: float | None = None

    @property
    def complete(self) -> bool:
        return self.stage is Stage.COMPLETE

    @property
    def going(self) -> bool:
        return self.stage is Stage.GOING

    @property
    def failed(self) -> bool:
        return self.stage is Stage.FAILED


def progress(kind: str, obj: Json, stale_deadline: str | None = None) -> Progress:
    """Read how far the rollout of an object's newest spec is.

    Args:
        stale_deadline: what ``deadline_mark`` said before the rollout began. Controllers keep the
            condition of an earlier, failed rollout until the next one moves.
    """
    if kind == "CronJob":
        if dig(obj, "spec").get("suspend") is True:
            return _complete("it is suspended; the next job, once somebody resumes it, runs")
        return _complete("the next job of the schedule runs")
    if not is_seen(obj) and not _is_silent(kind, obj):
        return _going("waiting for the controller to see the change")
    if kind == "Deployment":
        return _deployment(obj, stale_deadline)
    if dig(obj, "spec", "updateStrategy").get("type") == "OnDelete":
        return _on_delete(kind, obj)
    if kind in _STEPS:
        return _STEPS[kind](obj)
    return _any_kind(obj, stale_deadline)


def has_completed(kind: str, obj: Json) -> bool:
    """Whether the newest spec was rolled out whole at some time, also if pods are not well now."""
    if not is_seen(obj):
        return False
    if kind == "Deployment":
        return _progressing(obj).get("reason") == ROLLED_OUT or progress(kind, obj).complete
    status = dig(obj, "status")
    if kind == "StatefulSet" and "currentRevision" in status:
        return bool(status["currentRevision"] == status.get("updateRevision"))
    return progress(kind, obj).complete


def too_slow(where: object, min_ready: int, timeout: float) -> list[str]:
    """A sentence if a rollout cannot end in time, for its pods must be ready for longer.

    Args:
        min_ready, timeout: in seconds.
    """
    if min_ready < timeout:
        return []
    return [
        f"A new pod of {where} must be ready for {min_ready} s (minReadySeconds), and the rollout "
        f"has {timeout:g} s: set timeoutSeconds to more than that."
    ]


def is_seen(obj: Json) -> bool:
    """Whether the controller has seen the newest spec."""
    status, generation = dig(obj, "status"), number(obj.get("metadata"), "generation")
    # Argo's Rollouts write it as text.
    seen = str(status.get("observedGeneration") or "0")
    return seen.isdecimal() and int(seen) >= generation


def deadline_mark(obj: Json) -> str | None:
    """When a rollout failed by the object's own words; None while it has not."""
    condition = _progressing(obj)
    failed = condition if _is_exceeded(condition) else _failed(obj)
    return _time(failed) if failed else None


def is_paused(kind: str, obj: Json) -> bool:
    return kind == "Deployment" and dig(obj, "spec").get("paused") is True


def _deployment(obj: Json, stale_deadline: str | None) -> Progress:
    condition, status = _progressing(obj), dig(obj, "status")
    if _is_exceeded(condition) and _time(condition) != stale_deadline:
        return Progress(Stage.FAILED, str(condition.get("message") or DEADLINE_EXCEEDED)[:256])
    wanted = number(obj.get("spec"), "replicas", 1)
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    if updated < wanted:
        return _going(f"{updated} of {wanted} new pods are created{_hindrance(obj)}")
    if (old := number(status, "replicas") - updated) > 0:
        return _going(f"{ending(old)}{_pause(obj)}")
    if available < updated:
        return _going(f"{available} of {updated} new pods are available{_pause(obj)}")
    return _complete(running("Deployment", obj))


def ending(pods: int) -> str:
    """How many pods of the version before are still there."""
    return "1 old pod is to end" if pods == 1 else f"{pods} old pods are to end"


def running(kind: str, obj: Json) -> str:
    """How many of the wanted pods run; to be followed by an image."""
    wanted = number(obj.get("spec"), "replicas", 1)
    if not wanted:
        return f"the {kind} is scaled to 0, so no pod runs"
    return f"{number(dig(obj, 'status'), 'availableReplicas')} of {wanted} pods run"


def _stateful_set(obj: Json) -> Progress:
    spec, status = dig(obj, "spec"), dig(obj, "status")
    wanted, ready = number(spec, "replicas", 1), number(status, "readyReplicas")
    if not wanted and not number(status, "replicas"):
        return _complete(running("StatefulSet", obj))
    if ready < wanted:
        return _going(f"{ready} of {wanted} pods are ready")
    rolling = dig(spec, "updateStrategy", "rollingUpdate")
    if rolling:
        share = max(wanted - number(rolling, "partition"), 0)
        updated = number(status, "updatedReplicas")
        if updated < share:
            return _going(f"{updated} of {share} pods are updated")
        if not share:
            return _complete(f"its partition keeps all pods as they are: 0 of {wanted} pods run")
        return _complete(f"{min(share, wanted)} of {wanted} pods run")
    if status.get("updateRevision") != status.get("currentRevision"):
        return _going(f"{number(status, 'updatedReplicas')} of {wanted} pods are updated")
    return _complete(f"{ready} of {wanted} pods run")


def _daemon_set(obj: Json) -> Progress:
    status = dig(obj, "status")
    wanted = number(status, "desiredNumberScheduled")
    updated, available = number(status, "updatedNumberScheduled"), number(status, "numberAvailable")
    if updated < wanted:
        return _going(f"{updated} of {wanted} pods are updated")
    if available < wanted:
        return _going(f"{available} of {wanted} updated pods are available")
    return _complete(f"{available} of {wanted} pods run")


def _on_delete(kind: str, obj: Json) -> Progress:
    """Complete, because what is left is for people to do."""
    status, daemon = dig(obj, "status"), kind == "DaemonSet"
    pods = number(status, "currentNumberScheduled" if daemon else "replicas")
    old = pods - number(status, "updatedNumberScheduled" if daemon else "updatedReplicas")
    if old <= 0:
        return _complete(f"{pods} of {pods} pods run")
    where = f"kubectl -n {dig(obj, 'metadata').get('namespace')} delete pod"
    return _complete(
        f"its update strategy is OnDelete: {old} of {pods} pods keep what they run until you "
        f"delete them, one after the other ({where} NAME); new pods run"
    )


def _is_silent(kind: str, obj: Json) -> bool:
    """A custom kind whose controller does not say which spec it has seen."""
    known = kind == "Deployment" or kind in _STEPS
    return not known and "observedGeneration" not in dig(obj, "status")


def _any_kind(obj: Json, stale: str | None) -> Progress:
    """A custom kind: by the conventions of statuses, as far as it follows them.

    https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
    """
    status = dig(obj, "status")
    failed = _failed(obj)
    if failed and _time(failed) != stale:
        return Progress(Stage.FAILED, _said(failed))
    for kind in ("Ready", "Available"):
        if condition := _condition(obj, kind, "False") or _condition(obj, kind, "Unknown"):
            return _going(_said(condition))
    if condition := _condition(obj, "Reconciling", "True"):
        return _going(_said(condition))
    wanted = number(obj.get("spec"), "replicas", number(status, "replicas"))
    for count in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        if count in status and number(status, count) < wanted:
            return _going(f"{number(status, count)} of {wanted} {count}")
    return _complete("its status says that it is done:")


def _condition(obj: Json, kind: str, status: str) -> Json:
    conditions = dig(obj, "status").get("conditions") or ()
    found = (c for c in conditions if c.get("type") == kind and c.get("status") == status)
    return next(found, {})


def _failed(obj: Json) -> Json:
    return _condition(obj, "Stalled", "True") or _condition(obj, "Failed", "True")


def _said(condition: Json) -> str:
    return str(condition.get("message") or condition.get("reason") or condition["type"])[:256]


_STEPS: Mapping[str, Callable[[Json], Progress]] = {
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
}


def number(obj: Any, key: str, default: int = 0) -> int:
    value = obj.get(key) if isinstance(obj, dict) else None
    return value if isinstance(value, int) else default


def _progressing(obj: Json) -> Json:
    conditions = dig(obj, "status").get("conditions") or ()
    return next((item for item in conditions if item.get("type") == "Progressing"), {})


def _is_exceeded(condition: Json) -> bool:
    return condition.get("reason") == DEADLINE_EXCEEDED


def _time(condition: Json) -> str:
    return str(condition.get("lastUpdateTime") or condition.get("lastTransitionTime") or "")


def _hindrance(obj: Json) -> str:
    """What keeps a Deployment from creating pods, and what to do: a pause, a quota, a policy."""
    if paused := _pause(obj):
        return paused
    refused = _condition(obj, "ReplicaFailure", "True")
    if not refused:
        return ""
    said = _said(refused)
    return f"; {said}: {RAISE_QUOTA}" if QUOTA in said else f"; {said}"


def _pause(obj: Json) -> str:
    """That people have paused a Deployment, and what to do."""
    if not is_paused("Deployment", obj):
        return ""
    known = dig(obj, "metadata")
    where = f"deployment/{known.get('name')} -n {known.get('namespace')}"
    return f"; the Deployment is paused: resume it (kubectl rollout resume {where})"


def _complete(message: str) -> Progress:
    return Progress(Stage.COMPLETE, message)


def _going(message: str) -> Progress:
    return Progress(Stage.GOING, message)
