"""What a scheduler and a kubelet decide about one pod: pure functions over its JSON."""

from datetime import UTC, datetime
from typing import Any, Literal

Pod = dict[str, Any]
Step = Literal["bind", "report", "remove"]


def next_step(pod: Pod) -> Step | None:
    """Level based, like Kubernetes itself: it only depends on what the pod is now."""
    if pod["metadata"].get("deletionTimestamp"):
        return "remove"
    if not pod["spec"].get("nodeName"):
        return "bind"
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    return None if _reported(pod) == _images(pod) else "report"


def wanted_node(pod: Pod) -> str | None:
    """The node that the DaemonSet controller has chosen for its pod."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in required.get("nodeSelectorTerms", []):
        for field in term.get("matchFields", []):
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return None


def is_bad(image: str) -> bool:
    """Whether the image's tag says that nobody can pull it."""
    name = image.partition("@")[0].rpartition("/")[2]
    return "bad" in name.partition(":")[2]


def status(pod: Pod, address: str) -> dict[str, Any]:
    """The status of a pod after the kubelet has done for it what can be done."""
    spec = pod["spec"]
    init = spec.get("initContainers", [])
    blocked = any(is_bad(container["image"]) for container in init)
    healthy = not blocked and not any(is_bad(c["image"]) for c in spec["containers"])
    finished = healthy and spec.get("restartPolicy", "Always") != "Always"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "phase": "Succeeded" if finished else "Running" if healthy else "Pending",
        "conditions": _conditions(healthy and not finished, not blocked, now),
        "initContainerStatuses": [
            _container(c, now, finished=finished or not _is_sidecar(c)) for c in init
        ],
        "containerStatuses": [
            _container(c, now, finished=finished, blocked=blocked) for c in spec["containers"]
        ],
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
    }


def _is_sidecar(init: dict[str, Any]) -> bool:
    """Whether it runs on beside the others.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    return bool(init.get("restartPolicy") == "Always")


def _conditions(ready: bool, initialized: bool, now: str) -> list[dict[str, str]]:
    kinds = {
        "PodScheduled": True,
        "Initialized": initialized,
        "ContainersReady": ready,
        "Ready": ready,
    }
    return [
        {"type": kind, "status": str(value), "lastTransitionTime": now}
        for kind, value in kinds.items()
    ]


def _container(
    container: dict[str, Any], now: str, *, finished: bool, blocked: bool = False
) -> dict[str, Any]:
    image = container["image"]
    state: dict[str, Any] = {"running": {"startedAt": now}}
    if blocked:
        state = {"waiting": {"reason": "PodInitializing"}}
    elif is_bad(image):
        message = f'Back-off pulling image "{image}"'
        state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    elif finished:
        done = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
        state = {"terminated": done}
    running = "running" in state
    return {
        "name": container["name"],
        "image": image,
        "imageID": "" if "waiting" in state else image,
        "ready": running,
        "started": running,
        "restartCount": 0,
        "state": state,
    }


def _images(pod: Pod) -> dict[str, str]:
    return {c["name"]: c["image"] for c in pod["spec"]["containers"]}


def _reported(pod: Pod) -> dict[str, str]:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    return {c["name"]: c["image"] for c in statuses}
