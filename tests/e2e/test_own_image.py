"""The service deploys itself: a push of its image rolls the Deployment that its chart made."""

import json
from pathlib import Path

import pytest

from tests.conftest import StartRegistry
from tests.deploy.test_chart import CHART, POSTGRESQL, helm
from tests.e2e.host import Host
from tests.servers.control_plane import ControlPlane
from tests.servers.images import Image, build, push

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Image:
    """The image that `--image` names, or an empty one in its place."""
    if folder := request.config.getoption("--image"):
        (entry,) = json.loads((Path(folder) / "index.json").read_text())["manifests"]
        return Image(Path(folder), entry["digest"])
    return build(tmp_path / "image")


def test_a_push_of_the_services_image_rolls_the_service_itself(
    image: Image,
    control_plane: ControlPlane,
    namespace: str,
    start_registry: StartRegistry,
    tmp_path: Path,
) -> None:
    def install(repository: str) -> None:
        where = ["--namespace", namespace, "--kubeconfig", control_plane.kubeconfig]
        targets = [{"namespace": namespace, "drivers": ["deploymentUpdate"]}]
        values = {"image": {"repository": repository, "tag": "1.0.0"}, "targets": targets}
        done = helm("upgrade", "--install", "hooks", CHART, *where, values=POSTGRESQL | values)
        assert done.returncode == 0, done.stderr

    install("registry.invalid/acme/webhook-service")
    kubeconfig = control_plane.kubeconfig_for_service_account(namespace, "hooks")
    with Host(tmp_path, kubeconfig) as host:
        receiver = host.create_receiver(
            name="self",
            driver="deploymentUpdate",
            deploymentUpdateConfig={"namespace": namespace, "name": "hooks"},
            source={"format": "distribution"},
            match={"repositories": ["acme/webhook-service"]},
            verify={"scheme": "none"},
        )
        repository = f"{start_registry(receiver['url']).address}/acme/webhook-service"
        install(repository)
        push(image, f"{repository}:1.1.0")
        execution = host.wait_for_end("1.1.0", 60)
    pinned = f"{repository}:1.1.0@{image.digest}"
    assert execution["state"] == "succeeded", execution["message"]
    assert {(each["before"], each["after"]) for each in execution["changes"]} == {
        (f"{repository}:1.0.0", pinned)
    }
    made = control_plane.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/hooks")
    pod = made["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    assert {each["name"]: each["image"] for each in containers} == {
        "migrate": pinned,
        "webhook-service": pinned,
    }
    assert made["status"]["updatedReplicas"] == made["status"]["readyReplicas"] == 1
