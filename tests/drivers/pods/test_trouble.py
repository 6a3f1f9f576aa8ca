"""Real statuses of pods that do not run, and what is said of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhook_drivers.kubernetes.pods.trouble import failure_of, trouble_of, unready_since

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
STARTING = {"waiting": {"reason": "ContainerCreating"}}
CRASHING = {
    "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
}
NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
READINESS = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}}


def pod(*statuses: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", **more.pop("app", {})}], **more.pop("spec", {})}
    status: dict[str, Any] = {"containerStatuses": list(statuses), **more}
    return {"spec": spec, "status": status}


def container(state: dict[str, Any], name: str = "app", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": False, **more}


def condition(kind: str, status: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


def warning(reason: str, message: str, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": at}


UNSCHEDULED = pod(
    conditions=[condition("PodScheduled", "False", reason="Unschedulable", message=NO_ROOM)]
)
CASES = {
    "all is well": (pod(container(RUNNING, ready=True)), ""),
    "it starts": (pod(container(STARTING)), ""),
    "no node has room": (UNSCHEDULED, f"Unschedulable: {NO_ROOM}"),
    "the image cannot be pulled": (
        pod(container({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}})),
        "container app: ImagePullBackOff: Back-off pulling",
    ),
    "a reason without a message": (
        pod(container({"waiting": {"reason": "InvalidImageName"}})),
        "container app: InvalidImageName",
    ),
    "it ran out of memory": (
        pod(
            container(CRASHING, lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
        ),
        "container app: CrashLoopBackOff: back-off 10s restarting failed container; "
        "it ended with exit code 137 (OOMKilled)",
    ),
    "it ended": (
        pod(container({"terminated": {"exitCode": 3, "reason": "Error"}})),
        "container app: ended with exit code 3 (Error)",
    ),
    "an init container crashes": (
        pod(
            container({"waiting": {"reason": "PodInitializing"}}),
            spec={"initContainers": [{"name": "migrate"}]},
            initContainerStatuses=[container(CRASHING, "migrate")],
        ),
        "init container migrate: CrashLoopBackOff: back-off 10s restarting failed container",
    ),
    "the node was full": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        "Evicted: The node was low on resource: memory.",
    ),
    "it does not get ready": (
        pod(container(RUNNING, started=True), app=READINESS),
        "container app does not pass its readiness probe GET /ready on port 8080",
    ),
    "it does not start": (
        pod(container(RUNNING, started=False), app={"startupProbe": {"tcpSocket": {"port": 1}}}),
        "container app does not pass its startup probe on TCP port 1",
    ),
    "a sidecar does not get ready": (
        pod(
            spec={
                "initContainers": [
                    {"name": "mesh", "restartPolicy": "Always", "readinessProbe": {"grpc": {}}},
                    {"name": "mesh2", "restartPolicy": "Always", **READINESS},
                ]
            },
            initContainerStatuses=[container(RUNNING, "mesh2", started=True)],
        ),
        "container mesh2 does not pass its readiness probe GET /ready on port 8080",
    ),
    "a gate is closed": (
        pod(
            container(RUNNING, ready=True),
            spec={"readinessGates": [{"conditionType": "example.com/in-the-balancer"}]},
        ),
        "its readiness gate example.com/in-the-balancer is not True",
    ),
}


@pytest.mark.parametrize("found, said", CASES.values(), ids=CASES)
def test_the_reason_is_said(found: dict[str, Any], said: str) -> None:
    assert trouble_of(found) == said


def test_the_probe_says_what_it_got() -> None:
    got = warning("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    later = warning("BackOff", "something else", "2026-01-01T00:00:09Z")
    said = trouble_of(pod(container(RUNNING), app=READINESS), [got, later])
    assert said.endswith(
        "GET /ready on port 8080 (Unhealthy: Readiness probe failed: "
        "HTTP probe failed with statuscode: 503)"
    )


def test_a_probe_by_a_command_does_not_show_its_arguments() -> None:
    probe = {"readinessProbe": {"exec": {"command": ["check", "--password=s3cret"]}}}
    said = trouble_of(pod(container(RUNNING), app=probe))
    assert said == "container app does not pass its readiness probe by the command check"


def test_a_volume_that_cannot_be_mounted_is_said_by_its_newest_warning() -> None:
    events = [
        warning("FailedScheduling", "no room, earlier"),
        warning("FailedMount", 'configmap "shop" not found', "2026-01-01T00:00:05Z"),
        {"type": "Normal", "reason": "Pulled", "lastTimestamp": "2026-01-01T00:00:09Z"},
    ]
    assert trouble_of(pod(container(STARTING)), events) == (
        'FailedMount: configmap "shop" not found'
    )


def test_an_old_warning_says_nothing_about_a_pod_that_is_ready() -> None:
    ready = pod(container(RUNNING, ready=True), conditions=[condition("Ready", "True")])
    assert trouble_of(ready, [warning("Unhealthy", "as it started")]) == ""


def test_a_probe_that_fails_is_no_certain_failure() -> None:
    assert failure_of(pod(container(RUNNING), app=READINESS)) == ""
    assert failure_of(UNSCHEDULED)


def test_it_is_unready_since_its_condition_changed() -> None:
    since = datetime.now(UTC) - timedelta(seconds=90)
    text = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = pod(conditions=[condition("Ready", "False", lastTransitionTime=text)])
    assert unready_since(found) == int(since.timestamp())
    assert unready_since(pod()) is None
