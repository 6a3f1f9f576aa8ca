"""Kubernetes Events on the changed object, for people who look at the cluster first.

Best effort: without the right to create events everything else works.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import EVENTS, Address, Json
from webhook_drivers.kubernetes.api.transport import NAME
from webhook_drivers.kubernetes.images.workloads import dig
from webhook_service import Context

MAX_MESSAGE = 1024


class EventReason(StrEnum):
    IMAGE_UPDATED = "ImageUpdated"
    ROLLOUT_COMPLETE = "RolloutComplete"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLED_BACK = "RolledBack"


WARNINGS = frozenset({EventReason.ROLLOUT_FAILED, EventReason.ROLLED_BACK})


def emit(
    cluster: Cluster,
    address: Address,
    obj: Json,
    context: Context,
    reason: EventReason,
    message: str,
) -> None:
    """Have an Event on the object written behind this step; never fails."""
    cluster.create_event(address.namespace, event(address, obj, context, reason, message))


def event(address: Address, obj: Json, context: Context, reason: EventReason, message: str) -> Json:
    """The Event. Its name follows from the execution, so that a repeated step makes no second."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    seed = f"{context.execution or context.identity}/{reason}"
    name = f"{address.name[:200].rstrip('.-')}.{sha256(seed.encode()).hexdigest()[:16]}"
    metadata = dig(obj, "metadata")
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": address.namespace},
        "involvedObject": {
            "apiVersion": address.resource.api_version,
            "kind": address.resource.kind,
            "namespace": address.namespace,
            "name": address.name,
            **{key: metadata[key] for key in ("uid", "resourceVersion") if key in metadata},
        },
        "reason": reason,
        "message": message[:MAX_MESSAGE],
        "type": "Warning" if reason in WARNINGS else "Normal",
        "source": {"component": NAME},
        "reportingComponent": NAME,
        "reportingInstance": NAME,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
