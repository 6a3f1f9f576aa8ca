"""What the stand-in for kubelets says of pods."""

from tests.servers.pods import status

APP = {"name": "app", "image": "acme/shop:1"}
SIDECAR = {"name": "proxy", "image": "envoy:1", "restartPolicy": "Always"}
SETUP = {"name": "setup", "image": "acme/setup:1"}


def states(**spec: object) -> dict[str, str]:
    pod = {"spec": {"containers": [APP], "initContainers": [SETUP, SIDECAR], **spec}}
    said = status(pod, "10.0.0.1")
    found = [*said["initContainerStatuses"], *said["containerStatuses"]]
    return {each["name"]: next(iter(each["state"])) for each in found}


def test_a_sidecar_runs_on_when_other_init_containers_have_ended() -> None:
    assert states() == {"setup": "terminated", "proxy": "running", "app": "running"}


def test_a_sidecar_ends_with_the_pod() -> None:
    assert set(states(restartPolicy="Never").values()) == {"terminated"}
