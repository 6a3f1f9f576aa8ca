"""kill -9 in the middle of a driver's step: each call and push has its effect exactly once."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.host import ENDED, Host
from tests.host.v16_drivers import deployment, service
from tests.servers.process import wait_until
from tests.support import PROJECT, wait_for
from webhook_service.failpoints import VARIABLE
from webhook_service.testing import Ask, FakeCluster, Reply, definition
from webhook_service.testing.samples import dockerhub_push

pytestmark = [pytest.mark.e2e]
SCALE = {"amount": 1, "action": "up", "min": 1, "max": 9}
CONFIGS: dict[str, dict[str, Any]] = {
    "scaleService": {**SCALE, "serviceId": f"{PROJECT}/shop"},
    "scaleHost": {**SCALE, "hostSelector": {"pool": "web"}},
    "forwardPost": {"projectId": PROJECT, "serviceName": "shop", "port": "80", "path": "/"},
    "jobRun": {"namespace": PROJECT, "template": "tests"},
    "restart": {"namespace": PROJECT, "name": "shop"},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.02) as cluster:
        pods = deployment("shop", {}, "acme/shop:1")
        cluster.apply(pods)
        cluster.apply(service("shop", 80))
        cluster.apply(definition("MachineDeployment"))
        cluster.apply(
            {
                "kind": "MachineDeployment",
                "apiVersion": "cluster.x-k8s.io/v1beta1",
                "metadata": {"name": "web", "namespace": PROJECT, "labels": {"pool": "web"}},
                "spec": {"clusterName": "main", "replicas": 1},
            }
        )
        metadata = {"name": "tests", "namespace": PROJECT}
        template = pods["spec"]["template"]
        cluster.apply(
            {
                "kind": "PodTemplate",
                "apiVersion": "v1",
                "metadata": metadata,
                "template": template,
            }
        )
        yield cluster


@pytest.fixture(scope="module")
def asked(cluster: FakeCluster) -> list[str]:
    """The ids of the calls that reach the Service."""
    found: list[str] = []

    def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
        found.append(ask.headers["webhook-id"])
        return Reply()

    cluster.answer(PROJECT, "shop", answer)
    wait_for(lambda: '"addresses"' in json.dumps(cluster.list("Endpoints", PROJECT)))
    return found


@pytest.fixture(scope="module")
def host(cluster: FakeCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("once")
    with Host(folder, cluster.write_kubeconfig(folder / "kubeconfig")) as host:
        yield host


def effects(cluster: FakeCluster, driver: str) -> int:
    """How often a driver has had its effect, counted from somewhere."""
    shop = cluster.get("Deployment", PROJECT, "shop")
    counts = {
        "scaleService": shop["spec"]["replicas"],
        "scaleHost": cluster.get("MachineDeployment", PROJECT, "web")["spec"]["replicas"],
        "jobRun": len(cluster.list("Job", PROJECT)),
        "restart": shop["metadata"]["generation"],
    }
    found: int = counts[driver]
    return found


def killed_at(host: Host, place: str, driver: str) -> dict[str, Any]:
    """Kill the host there, and start it again; the execution as it has ended."""
    host.kill()
    host.start({VARIABLE: f"{place}=kill"})
    config = {"driver": driver, f"{driver}Config": CONFIGS[driver]}
    receiver = host.create_receiver(name=place, **config)
    httpx.post(receiver["url"], content=dockerhub_push("acme/shop", place)).raise_for_status()
    assert wait_until(lambda: not host.process.running, 20), f"{place} was never reached"
    host.start()

    def ended() -> dict[str, Any] | None:
        (found,) = host.executions(receiver=receiver["id"])
        return found if found["state"] in ENDED else None

    execution: dict[str, Any] = wait_for(ended, 30)
    assert execution["state"] == "succeeded", execution["message"]
    return execution


@pytest.mark.parametrize(
    ("driver", "place"),
    [
        ("scaleService", "scale.read"),
        ("scaleHost", "scale.patched"),
        ("jobRun", "job.built"),
        ("jobRun", "job.created"),
        ("restart", "restart.read"),
        ("restart", "restart.patched"),
    ],
)
def test_a_driver_that_is_killed_in_a_step_has_its_effect_once(
    host: Host, cluster: FakeCluster, driver: str, place: str
) -> None:
    before = effects(cluster, driver)
    killed_at(host, place, driver)
    assert effects(cluster, driver) == before + 1


@pytest.mark.parametrize(("place", "times"), [("forward.ready", 1), ("forward.sent", 2)])
def test_a_forwarded_call_arrives_at_least_once_and_bears_the_same_id(
    host: Host, asked: list[str], place: str, times: int
) -> None:
    asked.clear()
    execution = killed_at(host, place, "forwardPost")
    assert asked == [execution["id"]] * times
