"""The same tests on the fake cluster and on a real control plane."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.client import Client, eventually
from tests.contract.shop import Shop, account, permitted
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.manifests import roles
from webhook_service.testing import FakeCluster

REAL = [pytest.mark.xdist_group("controlplane"), pytest.mark.control_plane]
# As a real user without any rights is called in both clusters' messages.
STRANGER = "webhook-service"


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    real: bool
    fake: FakeCluster | None = None


@pytest.fixture(scope="session", params=["fake", pytest.param("real", marks=REAL)])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    if request.param == "real":
        yield Cluster(request.getfixturevalue("control_plane").kubeconfig, real=True)
        return
    with FakeCluster(user=STRANGER) as fake:
        path = fake.write_kubeconfig(tmp_path_factory.mktemp("fake") / "kubeconfig")
        yield Cluster(path, real=False, fake=fake)


@pytest.fixture
def namespace(cluster: Cluster, client: Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new namespace in which pods can start; it goes away after the test."""
    if cluster.real:
        name = request.getfixturevalue("control_plane").new_namespace("contract")
    else:
        body = {"metadata": {"generateName": "contract-"}}
        name = client.ok("POST", "/api/v1/namespaces", body)["metadata"]["name"]
    yield name
    client.ok("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def stranger(cluster: Cluster) -> Iterator[Client]:
    """A client that may do nothing at all."""
    if cluster.fake is not None:
        cluster.fake.deny("*", "*")
    with Client(cluster.kubeconfig, impersonate=STRANGER) as client:
        yield client
    if cluster.fake is not None:
        cluster.fake.allow_all()


@pytest.fixture
def shop(client: Client, namespace: str) -> Shop:
    return Shop(client, namespace)


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str
) -> Iterator[DeploymentUpdate]:
    path = cluster.kubeconfig
    if cluster.real:
        path = account(request, client, namespace, roles(["deploymentUpdate"]))
    with closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
        if cluster.real:
            eventually(lambda: permitted(driver, namespace))
        yield driver


@pytest.fixture
def powerless(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str
) -> Iterator[DeploymentUpdate]:
    path = cluster.kubeconfig
    if cluster.fake is None:
        path = account(request, client, namespace)
    else:
        for verb in ("get", "patch"):
            cluster.fake.deny(verb, "deployments", namespace)
    with closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
        yield driver
    if cluster.fake is not None:
        cluster.fake.allow_all()
