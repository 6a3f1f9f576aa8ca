"""The ReplicaSet controller: as many pods as the spec says."""

from __future__ import annotations

from webhook_service.testing.fake_cluster.api.statuses import ApiError
from webhook_service.testing.fake_cluster.controllers.controller import (
    RETRY,
    ControllerView,
    created,
)
from webhook_service.testing.fake_cluster.controllers.kubelet import is_ready
from webhook_service.testing.fake_cluster.objects.objects import timestamp
from webhook_service.testing.fake_cluster.objects.resources import PODS, REPLICASETS, Object

FAILURE = "ReplicaFailure"


def reconcile_replica_set(view: ControllerView, item: Object) -> float | None:
    """Creates or deletes pods, and counts them."""
    pods = view.children(item, PODS)
    missing = item["spec"]["replicas"] - len(pods)
    for pod in _least_useful(pods)[: max(0, -missing)]:
        view.remove(PODS, pod)
    refusal = ""
    try:
        for _ in range(missing):
            view.create_pod(item, item["spec"]["template"], {})
    except ApiError as exc:
        refusal = exc.message
    again = count(view, item, refusal)
    return RETRY if refusal else again


def count(view: ControllerView, item: Object, refusal: str) -> float | None:
    """Writes the status; answers when the next pod will count as available."""
    pods = view.children(item, PODS)
    waits = [view.available_in(pod, item["spec"].get("minReadySeconds", 0)) for pod in pods]
    pending = [wait for wait in waits if wait]
    labels = len(pods)
    status = {
        "replicas": len(pods),
        "fullyLabeledReplicas": labels,
        "readyReplicas": sum(map(is_ready, pods)),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": item["metadata"]["generation"],
    }
    # The one count that the real server always shows.
    shown = {key: value for key, value in status.items() if value or key == "replicas"}
    if refusal:
        shown["conditions"] = _refused(item, refusal)
    view.store.update(REPLICASETS, {**item, "status": shown})
    return min(pending, default=None)


def _refused(item: Object, refusal: str) -> list[Object]:
    """The first refusal stays: a new text for each attempt would be a change without end."""
    before: list[Object] = (item.get("status") or {}).get("conditions") or []
    now = timestamp()
    first = {"type": FAILURE, "status": "True", "reason": "FailedCreate", "message": refusal}
    return before or [first | {"lastTransitionTime": now}]


def _least_useful(pods: list[Object]) -> list[Object]:
    """In the order in which they are deleted: not ready first, then the youngest."""
    newest_first = sorted(pods, key=created, reverse=True)
    return sorted(newest_first, key=is_ready)
