"""The pods of a workload, where its own status does not say enough."""

from __future__ import annotations

from collections.abc import Iterable

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import PODS, Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.target_config import label_selector
from webhook_drivers.kubernetes.images.workloads import dig, is_owned
from webhook_drivers.kubernetes.jobs.jobs import trouble_of
from webhook_service import DriverError, Retry
from webhook_service.failpoints import failpoint

REVISION = "controller-revision-hash"
MAX_DELETED = 20
RIGHT = Right(PODS, ("list", "delete"), optional=True)
ADVICE = (
    "; a StatefulSet does not replace a pod that never gets ready: delete it with kubectl delete "
    "pod, or let webhook-service list and delete pods"
)


def trouble(cluster: Cluster, workload: Json) -> str:
    """Why one of its pods does not get ready; empty if none says so, or we may not look."""
    try:
        found = _find(cluster, workload)
    except DriverError:
        return ""
    for pod in found:
        if not _is_ready(pod) and (text := trouble_of(pod)):
            return f"pod {dig(pod, 'metadata').get('name')}: {text}"
    return ""


def unblock(cluster: Cluster, stateful_set: Json) -> str:
    """Let a StatefulSet go back: it waits in order for a pod that can never be ready.

    Such a pod of the revision that is undone is deleted, if we may; else the answer is what people
    have to do. The controller would replace it anyway, if it did not wait for it.
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    if dig(stateful_set, "spec").get("podManagementPolicy") == "Parallel":
        return ""
    try:
        found = _find(cluster, stateful_set)
        _delete(cluster, [pod for pod in found if _is_stuck(pod, stateful_set)])
    except Retry:
        raise
    except DriverError as error:
        if error.reason not in ("forbidden", "not_found"):
            raise
        return ADVICE
    return ""


def _find(cluster: Cluster, workload: Json) -> tuple[Json, ...]:
    labels = dig(workload, "spec", "selector", "matchLabels")
    namespace = str(dig(workload, "metadata").get("namespace"))
    return cluster.find(PODS, namespace, label_selector(labels)) if labels else ()


def _delete(cluster: Cluster, pods: Iterable[Json]) -> None:
    for pod in list(pods)[:MAX_DELETED]:
        metadata = pod["metadata"]
        failpoint("pod.before")
        cluster.delete(Address(PODS, metadata["namespace"], metadata["name"]), uid=metadata["uid"])


def _is_stuck(pod: Json, stateful_set: Json) -> bool:
    metadata = dig(pod, "metadata")
    newest = dig(stateful_set, "status").get("updateRevision")
    return (
        is_owned(pod, dig(stateful_set, "metadata").get("uid"))
        and not metadata.get("deletionTimestamp")
        and dig(metadata, "labels").get(REVISION) != newest
        and not _is_ready(pod)
    )


def _is_ready(pod: Json) -> bool:
    conditions = dig(pod, "status").get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
