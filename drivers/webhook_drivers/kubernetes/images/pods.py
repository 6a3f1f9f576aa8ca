"""The pods of a workload, where its own status does not say enough."""

from __future__ import annotations

from collections.abc import Iterable

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import EVENTS, PODS, Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.workloads import dig, is_owned
from webhook_drivers.kubernetes.pods.trouble import (
    failure_of,
    is_ready,
    newest,
    trouble_of,
    unready_since,
    warnings_of,
)
from webhook_service import DriverError, Retry
from webhook_service.failpoints import failpoint

REVISION = "controller-revision-hash"
MAX_DELETED = 20
PATIENCE = 60.0
"""Seconds for which a pod that runs, and says nothing against itself, may become ready."""
RIGHT = Right(PODS, ("list", "delete"), optional=True)
NO_POD = "FailedCreate"
"""The reason of the event by which controllers say that a quota or policy lets them create none."""
READ_EVENTS = Right(EVENTS, ("list",), optional=True)
ADVICE = (
    "; a StatefulSet does not replace a pod that never gets ready: delete it with kubectl delete "
    "pod, or let webhook-service list and delete pods"
)


def trouble(cluster: Cluster, workload: Json) -> str:
    """Why one of its pods does not get ready; empty if none says so, or we may not look.

    Without a pod to say it, the workload's own events do: a quota or a policy lets none be created.
    """
    try:
        found = sorted(_find(cluster, workload), key=_created, reverse=True)
    except DriverError:
        return ""
    unready = [pod for pod in found if not is_ready(pod)]
    for pod in unready:
        if text := failure_of(pod):
            return f"pod {dig(pod, 'metadata').get('name')}: {text}"
    for pod in unready[:1]:
        if text := trouble_of(pod, _warnings(cluster, pod)):
            return f"pod {dig(pod, 'metadata').get('name')}: {text}"
    return "" if unready else newest(warnings_of(_warnings(cluster, workload), NO_POD))


def unblock(cluster: Cluster, stateful_set: Json, now: float) -> str:
    """Let a StatefulSet go on: it waits in order for a pod that can never be ready.

    Such a pod of an earlier revision is deleted, if we may; else the answer is what people have to
    do. The controller would replace it anyway, if it did not wait for it.
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    if dig(stateful_set, "spec").get("podManagementPolicy") == "Parallel":
        return ""
    try:
        found = _find(cluster, stateful_set)
        _delete(cluster, [pod for pod in found if _is_stuck(pod, stateful_set, now)])
    except Retry:
        raise
    except DriverError as error:
        if error.reason not in ("forbidden", "not_found"):
            raise
        return ADVICE
    return ""


def _find(cluster: Cluster, workload: Json) -> tuple[Json, ...]:
    wanted = pod_selector.as_text(pod_selector.of(workload))
    namespace = str(dig(workload, "metadata").get("namespace"))
    return cluster.find(PODS, namespace, wanted) if wanted else ()


def _delete(cluster: Cluster, pods: Iterable[Json]) -> None:
    for pod in list(pods)[:MAX_DELETED]:
        metadata = pod["metadata"]
        failpoint("pod.before")
        cluster.delete(Address(PODS, metadata["namespace"], metadata["name"]), uid=metadata["uid"])


def _is_stuck(pod: Json, stateful_set: Json, now: float) -> bool:
    """Whether it is of a revision that is to go, and will not get ready.

    A revision that was never complete has no pods worth waiting for. One of the revision that was
    may just be starting, as a database does that reads its log, unless its status says otherwise.
    """
    metadata, status = dig(pod, "metadata"), dig(stateful_set, "status")
    revision = dig(metadata, "labels").get(REVISION)
    if (
        not is_owned(pod, dig(stateful_set, "metadata").get("uid"))
        or metadata.get("deletionTimestamp")
        or revision == status.get("updateRevision")
        or is_ready(pod)
    ):
        return False
    if revision != status.get("currentRevision") or failure_of(pod):
        return True
    since = unready_since(pod)
    return since is not None and now - since > PATIENCE


def _warnings(cluster: Cluster, obj: Json) -> tuple[Json, ...]:
    """The events about an object; none where we may not read them."""
    metadata = dig(obj, "metadata")
    about = f"involvedObject.uid={metadata.get('uid')},type=Warning"
    try:
        return cluster.find(EVENTS, str(metadata.get("namespace")), fields=about)
    except DriverError:
        return ()


def _created(pod: Json) -> str:
    return str(dig(pod, "metadata").get("creationTimestamp") or "")
