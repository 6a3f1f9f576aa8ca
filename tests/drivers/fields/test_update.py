"""A push on fields that is killed at any call ends as if it were not, and is written once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client
from tests.drivers.kills import MAX_CALLS, DeadlyClusters, Run
from tests.drivers.steps import Clock, context, push
from tests.servers.deployers import FLUX_HELM, Controller
from webhook_drivers.kubernetes.drivers.resource_update import ResourceUpdate, ResourceUpdateConfig
from webhook_service import Done, DriverError
from webhook_service.testing import FakeCluster


class Controlled(ResourceUpdate):
    """Each step of the driver comes after one of the controller."""

    controller: Controller

    def execute(self, config: Any, event: Any, context: Any) -> Any:
        self.controller.follow(config.name)
        return super().execute(config, event, context)


@pytest.fixture
def controller(fake: FakeCluster, tmp_path: Path) -> Iterator[Controller]:
    fake.apply(FLUX_HELM.definition)
    with Client(fake.write_kubeconfig(tmp_path / "kubeconfig")) as client:
        yield Controller(client, "default", FLUX_HELM, lambda found: "'bad'" not in str(found))


@pytest.mark.parametrize("keeps_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("tag", "writes"), [("2", 1), ("bad", 2)])
def test_a_push_that_is_killed_at_any_call_is_written_once(
    fake: FakeCluster,
    clusters: DeadlyClusters,
    controller: Controller,
    clock: Clock,
    tag: str,
    writes: int,
    sent: bool,
    keeps_state: bool,
) -> None:
    driver = Controlled(clusters=clusters, now=clock)
    driver.controller = controller
    for call in range(1, MAX_CALLS):
        name = f"shop-{call}"
        fake.apply(FLUX_HELM.manifest("default", name))
        controller.settle(name)
        config = FLUX_HELM.config("default", name, rollbackOnFailure=True)
        clusters.arm(call, sent)
        settings = ResourceUpdateConfig.model_validate(config)
        said = context(call, named=True)
        run = Run(driver, settings, push(tag), said, clock, keeps_state)
        ended = run.to_the_end()
        found = fake.get("HelmRelease", "default", name)
        require_end(ended, tag)
        assert found["spec"]["values"]["image"]["tag"] == ("1" if tag == "bad" else tag)
        assert found["metadata"]["generation"] == 1 + writes
        if not run.killed:
            break
    assert not run.killed, f"more than {MAX_CALLS} calls"


def require_end(ended: object, tag: str) -> None:
    if tag == "bad":
        assert isinstance(ended, DriverError) and ended.reason == "rolled_back", ended
    else:
        assert isinstance(ended, Done), ended
        assert [change.after for change in ended.changes] == ["docker.io/acme/shop:2"]
