"""Why a pod does not run or is not ready, by its own status, spec and events. Pure.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.workloads import dig

MAX_TEXT = 256
# Said of every pod that starts, also of one that starts well.
STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def is_ready(pod: Json) -> bool:
    return _condition(pod, "Ready").get("status") == "True"


def unready_since(pod: Json) -> float | None:
    """When it was last ready, or began, in seconds since the epoch; None if it does not say."""
    since = str(_condition(pod, "Ready").get("lastTransitionTime") or "")
    try:
        return datetime.fromisoformat(since).timestamp()
    except ValueError:
        return None


def failure_of(pod: Json) -> str:
    """What certainly keeps a pod from running, by its status; empty if nothing does."""
    said = (_unscheduled(pod), *_failing(pod), _ended(pod))
    return next(filter(None, said), "")[:MAX_TEXT]


def trouble_of(pod: Json, events: Iterable[Json] = ()) -> str:
    """Why a pod does not run or is not ready, or how its containers ended; empty if all is well.

    Args:
        events: those about the pod; volumes and probes say what is wrong only there.
    """
    warnings = warnings_of(events)
    said = failure_of(pod) or _unready(pod, warnings) or ("" if is_ready(pod) else newest(warnings))
    return said[:MAX_TEXT]


def warnings_of(events: Iterable[Json], reason: str | None = None) -> list[Json]:
    """The warnings among events, the newest first; of one reason, if it is said."""
    found = [event for event in events if event.get("type") == "Warning"]
    chosen = [event for event in found if reason in (None, event.get("reason"))]
    return sorted(chosen, key=_last_seen, reverse=True)


def newest(warnings: Sequence[Json]) -> str:
    """What the first of these events says."""
    event = warnings[0] if warnings else {}
    said = ": ".join(str(event[key]) for key in ("reason", "message") if event.get(key))
    return " ".join(said.split())[:MAX_TEXT]


def _unscheduled(pod: Json) -> str:
    """In the scheduler's own words."""
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") != "False":
        return ""
    return f"{placed.get('reason') or 'Unschedulable'}: {placed.get('message') or 'no node yet'}"


def _failing(pod: Json) -> Iterator[str]:
    init = {item.get("name") for item in dig(pod, "spec").get("initContainers") or ()}
    for item in _statuses(pod):
        if said := _state_of(item):
            what = "init container" if item.get("name") in init else "container"
            yield f"{what} {item.get('name')}: {said}"


def _state_of(container: Json) -> str:
    waiting = dig(container, "state", "waiting")
    if waiting and waiting.get("reason") not in STARTING:
        over = _exit(dig(container, "lastState", "terminated"))
        said = ": ".join(str(waiting[key]) for key in ("reason", "message") if waiting.get(key))
        return "; it ".join(filter(None, (said, over)))
    if waiting.get("message"):
        return f"{waiting.get('reason')}: {waiting['message']}"
    return _exit(dig(container, "state", "terminated"))


def _exit(over: Json) -> str:
    if not over.get("exitCode"):
        return ""
    reason = f" ({over['reason']})" if over.get("reason") else ""
    return f"ended with exit code {over['exitCode']}{reason}"


def _ended(pod: Json) -> str:
    """What ended the whole pod: an eviction, a node that went away, a deadline."""
    status = dig(pod, "status")
    if status.get("phase") != "Failed" or not status.get("reason"):
        return ""
    return ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))


def _unready(pod: Json, warnings: Sequence[Json]) -> str:
    """The probe or gate that a running pod does not pass."""
    probed = newest(warnings_of(warnings, "Unhealthy"))
    specs = {item.get("name"): item for item in _long_running(pod)}
    for item in _statuses(pod):
        if item.get("ready") or not dig(item, "state").get("running"):
            continue
        kind = "startup" if item.get("started") is False else "readiness"
        if probe := dig(specs.get(item.get("name")), f"{kind}Probe"):
            why = f" ({probed})" if probed else ""
            return (
                f"container {item.get('name')} does not pass its {kind} probe {_probe(probe)}{why}"
            )
    for gate in dig(pod, "spec").get("readinessGates") or ():
        kind = str(gate.get("conditionType"))
        if _condition(pod, kind).get("status") != "True":
            return f"its readiness gate {kind} is not True"
    return ""


def _probe(probe: Json) -> str:
    """A probe as people know it from their manifest."""
    if http := dig(probe, "httpGet"):
        return f"GET {http.get('path') or '/'} on port {http.get('port')}"
    if tcp := dig(probe, "tcpSocket"):
        return f"on TCP port {tcp.get('port')}"
    if grpc := dig(probe, "grpc"):
        return f"by gRPC on port {grpc.get('port')}"
    command = dig(probe, "exec").get("command") or ()
    # Arguments may hold passwords.
    return f"by the command {command[0]}" if command else "of its pod template"


def _statuses(pod: Json) -> Iterator[Json]:
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from dig(pod, "status").get(key) or ()


def _long_running(pod: Json) -> Iterator[Json]:
    """The containers that a pod needs to be ready: init containers only as sidecars."""
    spec = dig(pod, "spec")
    for item in spec.get("initContainers") or ():
        if item.get("restartPolicy") == "Always":
            yield item
    yield from spec.get("containers") or ()


def _condition(pod: Json, kind: str) -> Json:
    conditions = dig(pod, "status").get("conditions") or ()
    return next((item for item in conditions if item.get("type") == kind), {})


def _last_seen(event: Json) -> str:
    keys = ("lastTimestamp", "eventTime", "firstTimestamp")
    return next((str(event[key]) for key in keys if event.get(key)), "")
