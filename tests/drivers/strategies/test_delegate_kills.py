"""A push that another controller rolls out survives a kill at every single call to the cluster."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client
from tests.drivers.kills import MAX_CALLS, DeadlyClusters, Run
from tests.drivers.steps import SHA, Clock, context, push
from tests.drivers.strategies.test_delegate import ARGO, Delegated, delegate
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import Done, DriverError, Wait
from webhook_service.testing import FakeCluster

OLD = "acme/shop:1"


@dataclass(frozen=True)
class Case:
    """A push, by whose controller it is rolled out, and how often it may change the spec in all."""

    changes: int
    kind: str = "Rollout"
    target: dict[str, Any] = field(default_factory=lambda: ARGO)
    tag: str = "2"

    @property
    def fails(self) -> bool:
        return self.tag == "bad"


CASES = {
    "argo": Case(1),
    "argo-undone": Case(2, tag="bad"),
    "flagger": Case(1, "Deployment", {}),
    "flagger-undone": Case(2, "Deployment", {}, "bad"),
}


@dataclass
class Delegating(Run):
    """The controller judges what it finds, each time that the push waits."""

    shop: Delegated = field(kw_only=True)
    kind: str = field(kw_only=True)

    def _hurry(self, waiting: Wait) -> None:
        image = self.shop.image(self.kind)
        good = "bad" not in image
        if self.kind == "Rollout":
            self.shop.report("Rollout", phase="Healthy" if good else "Degraded")
        else:
            phase = "Succeeded" if good else "Failed"
            self.shop.report("Canary", phase=phase, lastAppliedSpec=image)


@pytest.fixture
def shop(fake: FakeCluster, tmp_path: Path) -> Iterator[Delegated]:
    with Client(fake.write_kubeconfig(tmp_path / "shop")) as client:
        yield Delegated(fake, client)


@pytest.mark.parametrize("keeps_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_delegated_push_that_is_killed_at_any_call_ends_as_if_it_were_not(
    clusters: DeadlyClusters,
    shop: Delegated,
    clock: Clock,
    name: str,
    sent: bool,
    keeps_state: bool,
) -> None:
    case = CASES[name]
    driver = DeploymentUpdate(clusters=clusters, now=clock)
    settings = delegate(case.target, rollbackOnFailure=case.fails)
    for call in range(1, MAX_CALLS):
        start(shop, case.kind)
        clusters.arm(call, sent)
        event, at = push(case.tag, SHA), context(call)
        run = Delegating(driver, settings, event, at, clock, keeps_state, shop=shop, kind=case.kind)
        ended = run.to_the_end()
        assert isinstance(ended, DriverError if case.fails else Done), ended
        assert getattr(ended, "reason", "") == ("rolled_back" if case.fails else ""), ended
        assert shop.image(case.kind) == (OLD if case.fails else f"acme/shop:2@{SHA}")
        found = shop.fake.get(case.kind, "default", "shop")
        assert found["metadata"]["generation"] == 1 + case.changes
        if not run.killed:
            return
        remove(shop, case.kind)
    raise AssertionError(f"more than {MAX_CALLS} calls")


def start(shop: Delegated, kind: str) -> None:
    if kind == "Rollout":
        shop.rollout()
    else:
        shop.deployment()


def remove(shop: Delegated, kind: str) -> None:
    shop.fake.delete(kind, "default", "shop")
    if kind == "Deployment":
        shop.fake.delete("Canary", "default", "shop")
