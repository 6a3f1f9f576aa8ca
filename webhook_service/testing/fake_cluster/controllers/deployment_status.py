"""The status of a Deployment: counts, and the conditions that rollouts are followed by."""

from __future__ import annotations

from time import monotonic

from webhook_service.testing.fake_cluster.controllers.controller import ControllerView, condition
from webhook_service.testing.fake_cluster.controllers.replicasets import FAILURE
from webhook_service.testing.fake_cluster.objects.resources import DEPLOYMENTS, Object

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
COMPLETE, UPDATED, LATE = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"


def is_complete(deployment: Object) -> bool:
    """Whether only wanted pods of the current template exist, and all are available."""
    return _complete(deployment, deployment.get("status") or {})


def write(
    view: ControllerView,
    deployment: Object,
    sets: list[Object],
    new: Object | None,
    unavailable: int,
) -> float | None:
    """Writes the status; answers when the progress deadline will have passed."""
    metadata = deployment["metadata"]
    live = view.store.find(DEPLOYMENTS, metadata["namespace"], metadata["name"])
    if live is None:
        return None
    before = live.get("status") or {}
    status = _counts(sets, new)
    status["observedGeneration"] = metadata["generation"]
    conditions = _availability(live, before.get("conditions") or [], status, unavailable)
    conditions, again = _progress(view, live, before, status, conditions, new)
    status["conditions"] = _with_failure(conditions, sets)
    view.set_status(DEPLOYMENTS, live, status)
    return again


def _with_failure(conditions: list[Object], sets: list[Object]) -> list[Object]:
    """The first ReplicaSet that may not create its pods says why."""
    failures = [
        item
        for replica_set in sets
        for item in (replica_set.get("status") or {}).get("conditions") or ()
        if item["type"] == FAILURE
    ]
    if not failures:
        return [item for item in conditions if item["type"] != FAILURE]
    return condition(conditions, FAILURE, "True", failures[0]["reason"], failures[0]["message"])


def _counts(sets: list[Object], new: Object | None) -> Object:
    def total(field: str, items: list[Object]) -> int:
        return sum((item.get("status") or {}).get(field, 0) for item in items)

    name = new["metadata"]["name"] if new else ""
    current = [item for item in sets if item["metadata"]["name"] == name]
    available, replicas = total("availableReplicas", sets), total("replicas", sets)
    return {
        "replicas": replicas,
        "updatedReplicas": total("replicas", current),
        "readyReplicas": total("readyReplicas", sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(i["spec"]["replicas"] for i in sets) - available),
    }


def _availability(
    live: Object, conditions: list[Object], status: Object, unavailable: int
) -> list[Object]:
    if status["availableReplicas"] >= live["spec"]["replicas"] - unavailable:
        message = "Deployment has minimum availability."
        return condition(conditions, "Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return condition(conditions, "Available", "False", "MinimumReplicasUnavailable", message)


def _progress(
    view: ControllerView,
    live: Object,
    before: Object,
    status: Object,
    conditions: list[Object],
    new: Object | None,
) -> tuple[list[Object], float | None]:
    reason = next((c["reason"] for c in conditions if c["type"] == "Progressing"), "")
    if live["spec"].get("paused"):
        return condition(
            conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"
        ), None
    uid = live["metadata"]["uid"]
    if reason == "DeploymentPaused":
        view.progressed[uid] = monotonic()
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else "Deployment"
    if _complete(live, status):
        message = f"{subject} has successfully progressed."
        return condition(conditions, "Progressing", "True", COMPLETE, message), None
    if _advanced(live, before, status) or not reason:
        view.progressed[uid] = monotonic()
    elif reason == LATE:
        return conditions, None
    elif reason == COMPLETE and status["updatedReplicas"] == status["replicas"]:
        # Only a pod was lost: for a finished rollout that is no new one.
        return conditions, None
    left = _left(view, live)
    if left <= 0:
        message = f"{subject} has timed out progressing."
        return condition(conditions, "Progressing", "False", LATE, message), None
    message = f"{subject} is progressing."
    return condition(conditions, "Progressing", "True", UPDATED, message), left


def _left(view: ControllerView, live: Object) -> float:
    since = view.progressed.setdefault(live["metadata"]["uid"], monotonic())
    return float(since + live["spec"]["progressDeadlineSeconds"] - monotonic())


def _advanced(live: Object, before: Object, status: Object) -> bool:
    now = {field: status.get(field, 0) for field in COUNTS}
    then = {field: before.get(field, 0) for field in COUNTS}
    remaining = now["replicas"] - now["updatedReplicas"]
    return bool(
        now["updatedReplicas"] > then["updatedReplicas"]
        or remaining < then["replicas"] - then["updatedReplicas"]
        or now["readyReplicas"] > then["readyReplicas"]
        or now["availableReplicas"] > then["availableReplicas"]
    )


def _complete(live: Object, status: Object) -> bool:
    wanted = live["spec"]["replicas"]
    counts = [status.get(f, 0) for f in ("replicas", "updatedReplicas", "availableReplicas")]
    observed = bool(status.get("observedGeneration", 0) >= live["metadata"]["generation"])
    return observed and all(count == wanted for count in counts)
