"""What the old ReplicaSets of a Deployment remember, after ``kubectl rollout undo``.

It brings back the annotations of an older ReplicaSet beside its template, and with them an older
record: the Deployment itself no longer tells that a newer push was there. Its ReplicaSets do,
because the controller gives each the annotations that the Deployment had at its time.
"""

from __future__ import annotations

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import REPLICASETS, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.push_record import Record, is_newer
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, dig, is_owned
from webhook_service import DriverError, Retry

RIGHT = Right(REPLICASETS, ("list",), optional=True)


def taken_back(cluster: Cluster, push: Push, obj: Json, now: float) -> Record | None:
    """The newest record of the repository, if it is newer than the Deployment's own.

    None also for other kinds, whose annotations stay as they are, and without the right to look.
    """
    wanted = pod_selector.as_text(pod_selector.of(obj))
    if push.workload is not WORKLOADS["Deployment"] or not wanted:
        return None
    if push.record(obj).generation == dig(obj, "metadata").get("generation"):
        return None  # nothing was undone: its spec is as the recorded push left it
    try:
        sets = cluster.find(REPLICASETS, push.address.namespace, wanted, cached=True)
    except Retry:
        raise
    except DriverError:
        return None
    uid = dig(obj, "metadata").get("uid")
    known = push.record(obj).order_key
    found = (push.record(item) for item in sets if is_owned(item, uid))
    newer = [item for item in found if is_newer(item.order_key, known, now)]
    return max(newer, key=lambda item: item.order_key, default=None)
