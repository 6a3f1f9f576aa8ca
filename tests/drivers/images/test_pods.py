"""Which pods of a StatefulSet are deleted so that it goes on."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.images.pods import PATIENCE, REVISION, unblock

NOW = 2_000_000_000.0
STATEFUL_SET = {
    "metadata": {"name": "db", "namespace": "shop", "uid": "set"},
    "spec": {"selector": {"matchLabels": {"app": "db"}}},
    "status": {"updateRevision": "db-3", "currentRevision": "db-1"},
}
STUCK = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
RUNNING = {"running": {}}


def pod(
    revision: str, state: dict[str, Any], unready: float, ready: str = "False", **metadata: Any
) -> dict[str, Any]:
    since = datetime.fromtimestamp(NOW - unready, UTC).isoformat()
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": since}
    found = {"name": "db-0", "namespace": "shop", "uid": "pod", "labels": {REVISION: revision}}
    owned = {"ownerReferences": [{"uid": "set"}]}
    status = {"conditions": [condition], "containerStatuses": [{"name": "db", "state": state}]}
    return {"metadata": {**found, **owned, **metadata}, "status": status}


class Pods:
    """The pods of a cluster, and which of them were deleted."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found, self.deleted = found, 0

    def find(self, *_: Any) -> tuple[dict[str, Any], ...]:
        return self.found

    def delete(self, *_: Any, uid: str) -> None:
        assert uid == "pod"
        self.deleted += 1


@pytest.mark.parametrize(
    ("found", "deleted"),
    [
        (pod("db-2", STUCK, 1), True),
        (pod("db-2", RUNNING, 1), True),
        (pod("db-1", STUCK, 1), True),
        (pod("db-1", RUNNING, PATIENCE + 1), True),
        (pod("db-1", RUNNING, PATIENCE - 1), False),
        (pod("db-1", RUNNING, 999, ready="True"), False),
        (pod("db-3", STUCK, 999), False),
        (pod("db-2", STUCK, 1, deletionTimestamp="2026-01-01T00:00:00Z"), False),
        (pod("db-2", STUCK, 1, ownerReferences=[{"uid": "other"}]), False),
    ],
    ids=[
        "of a rollout that was given up",
        "of it, and running",
        "broken before",
        "not ready for over a minute",
        "it may still get ready",
        "ready",
        "of the newest",
        "it ends already",
        "of another workload",
    ],
)
def test_a_pod_that_blocks_is_deleted(found: dict[str, Any], deleted: bool) -> None:
    pods = Pods(found)
    assert unblock(cast(Cluster, pods), STATEFUL_SET, NOW) == ""
    assert pods.deleted == deleted
