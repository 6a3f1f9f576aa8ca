from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.drivers.kills import DeadlyClusters
from tests.drivers.steps import Clock
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service.testing import FakeCluster


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.02) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver(fake: FakeCluster, clock: Clock, tmp_path: Path) -> Iterator[DeploymentUpdate]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    driver = DeploymentUpdate({"kubeconfig": str(path)}, now=clock)
    yield driver
    driver.close()


@pytest.fixture
def clusters(fake: FakeCluster, tmp_path: Path) -> Iterator[DeadlyClusters]:
    """Connections to the fake cluster that a test may let die."""
    with closing(DeadlyClusters.to(fake, tmp_path)) as clusters:
        yield clusters
