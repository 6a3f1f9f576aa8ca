from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time

import pytest

from webhook_drivers.kubernetes.deployment_update import DeploymentUpdate
from webhook_service.testing import FakeCluster


@dataclass
class Clock:
    """The real time, and what a test adds to it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time() + self.ahead


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
