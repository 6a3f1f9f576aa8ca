from typing import Any

import pytest

from webhook_drivers.kubernetes.images.rollout import Stage, deadline_mark, progress

EXCEEDED = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": 'ReplicaSet "shop-1" has timed out progressing.',
    "lastUpdateTime": "2026-01-01T00:00:00Z",
}


def obj(status: dict[str, Any], generation: int = 2, **spec: Any) -> dict[str, Any]:
    status = {"observedGeneration": 2} | status
    return {"metadata": {"generation": generation}, "spec": spec, "status": status}


def counts(updated: int, total: int, available: int) -> dict[str, int]:
    return {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}


FULL = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
PARTITION = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
STATEFUL = {"readyReplicas": 3, "updatedReplicas": 3}
DAEMON = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
CASES = [
    ("Deployment", obj(counts(3, 3, 3), replicas=3), "complete", "3 of 3 pods run"),
    ("Deployment", obj(counts(3, 3, 3), 3, replicas=3), "going", "waiting for the controller"),
    ("Deployment", obj(counts(1, 4, 3), replicas=3), "going", "1 of 3 new pods are created"),
    ("Deployment", obj(counts(3, 4, 3), replicas=3), "going", "1 old pod is to end"),
    ("Deployment", obj(counts(3, 5, 3), replicas=3), "going", "2 old pods are to end"),
    ("Deployment", obj(counts(3, 3, 2), replicas=3), "going", "2 of 3 new pods are available"),
    ("Deployment", obj({}, replicas=0), "complete", "is scaled to 0, so no pod runs"),
    (
        "Deployment",
        obj({}, replicas=3, paused=True),
        "going",
        "the Deployment is paused: resume it (kubectl rollout resume deployment/",
    ),
    (
        "Deployment",
        obj(counts(3, 4, 3), replicas=3, paused=True),
        "going",
        "1 old pod is to end; the Deployment is paused: resume it",
    ),
    (
        "Deployment",
        obj(counts(3, 3, 2), replicas=3, paused=True),
        "going",
        "2 of 3 new pods are available; the Deployment is paused: resume it",
    ),
    (
        "Deployment",
        obj({"conditions": [FULL]}, replicas=3),
        "going",
        "exceeded quota: small: raise the quota, or make room in it",
    ),
    ("Deployment", obj(counts(1, 4, 3) | {"conditions": [EXCEEDED]}), "failed", "timed out"),
    ("Deployment", obj({"conditions": [EXCEEDED]}, 3), "going", "waiting for the controller"),
    ("Deployment", {"metadata": {"generation": 1}}, "going", "waiting for the controller"),
    ("StatefulSet", obj(STATEFUL, replicas=3, updateStrategy=ROLLING), "complete", "3 of 3"),
    (
        "StatefulSet",
        obj(STATEFUL | {"readyReplicas": 2}, replicas=3, updateStrategy=ROLLING),
        "going",
        "2 of 3 pods are ready",
    ),
    (
        "StatefulSet",
        obj(STATEFUL | {"updatedReplicas": 1}, replicas=3, updateStrategy=ROLLING),
        "going",
        "1 of 3 pods are updated",
    ),
    (
        "StatefulSet",
        obj(STATEFUL | {"updatedReplicas": 1}, replicas=3, updateStrategy=PARTITION),
        "complete",
        "1 of 3 pods run",
    ),
    (
        "StatefulSet",
        obj(STATEFUL | {"updateRevision": "b", "currentRevision": "a"}, replicas=3),
        "going",
        "pods are updated",
    ),
    (
        "StatefulSet",
        obj({"replicas": 3, "updatedReplicas": 1}, updateStrategy={"type": "OnDelete"}),
        "complete",
        "its update strategy is OnDelete: 2 of 3 pods keep what they run",
    ),
    ("DaemonSet", obj(DAEMON), "complete", "3 of 3 pods run"),
    ("DaemonSet", obj(DAEMON | {"updatedNumberScheduled": 1}), "going", "1 of 3 pods are updated"),
    ("DaemonSet", obj(DAEMON | {"numberAvailable": 2}), "going", "2 of 3 updated pods"),
    (
        "DaemonSet",
        obj({"currentNumberScheduled": 3}, updateStrategy={"type": "OnDelete"}),
        "complete",
        "its update strategy is OnDelete: 3 of 3 pods keep what they run",
    ),
    (
        "DaemonSet",
        obj(
            {"currentNumberScheduled": 3, "updatedNumberScheduled": 3},
            updateStrategy={"type": "OnDelete"},
        ),
        "complete",
        "3 of 3 pods run",
    ),
    ("CronJob", obj({}, 9), "complete", "the next job"),
]


@pytest.mark.parametrize(("kind", "seen", "stage", "message"), CASES)
def test_progress_is_read_as_kubectl_does(
    kind: str, seen: dict[str, Any], stage: str, message: str
) -> None:
    found = progress(kind, seen)
    assert found.stage == Stage(stage)
    assert message in found.message


def test_the_deadline_of_an_earlier_rollout_does_not_count() -> None:
    seen = obj(counts(1, 4, 3) | {"conditions": [EXCEEDED]}, replicas=3)
    mark = deadline_mark(seen)
    assert progress("Deployment", seen, mark).stage is Stage.GOING
    later = EXCEEDED | {"lastUpdateTime": "2026-01-01T00:10:00Z"}
    seen["status"]["conditions"] = [later]
    assert progress("Deployment", seen, mark).failed


def test_without_a_failure_there_is_no_deadline_mark() -> None:
    assert deadline_mark(obj(counts(3, 3, 3))) is None
