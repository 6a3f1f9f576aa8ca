"""Strategies with a second Deployment survive a kill at every write: the right end, no leftovers.

A kill at a read is one after the write before it, as nothing else happens in between. The short
form takes turns: each write is killed with the recorded state or without one; ``--long`` does both.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.contract.client import Client
from tests.drivers.kills import Deadly, DeadlyClusters, Run
from tests.drivers.steps import OTHER_SHA, SHA, Clock, context, push
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Done, DriverError, PushEvent, Wait
from webhook_service.testing import FakeCluster, Reply

MAX_WRITES = 40
OLD, NEW = "acme/shop:1", f"acme/shop:2@{SHA}"


@dataclass(frozen=True)
class Case:
    """A push and how it must end, after what came before it."""

    settings: DeploymentUpdateConfig
    event: PushEvent = push("2", SHA)
    before: PushEvent | None = None
    image: str = NEW
    reason: str = ""
    second: str = "shop-green"

    @property
    def autoscaled(self) -> bool:
        return self.second == "shop-green"


CHECKED = {"preview": "shop-preview", "check": {"path": "/"}}
BAD = push("bad", OTHER_SHA)
CASES = {
    "blue-green": Case(blue_green()),
    "blue-green-zero": Case(blue_green(keep="zero")),
    "blue-green-preview": Case(blue_green(**CHECKED)),
    "blue-green-bad": Case(blue_green(), BAD, image=OLD, reason="rolled_back"),
    "blue-green-again": Case(
        blue_green(), push("3", OTHER_SHA), push("2", SHA), f"acme/shop:3@{OTHER_SHA}"
    ),
    "canary": Case(canary(), second="shop-canary"),
    "canary-bad": Case(canary(), BAD, image=OLD, reason="rolled_back", second="shop-canary"),
    "blue-green-again-bad": Case(blue_green(), BAD, push("2", SHA), reason="rolled_back"),
}


class DeadlyWriter(Deadly):
    """A transport that dies at one of its writes."""

    def exchange(self, ask: ApiRequest) -> ApiReply:
        if ask.method == "GET":
            read: ApiReply = self._transport.exchange(ask)
            return read
        return super().exchange(ask)


class Writers(DeadlyClusters):
    def arm(self, at: int, sent: bool) -> None:
        self.armed = None
        self.armed = DeadlyWriter(self.get().transport, at, sent)


@pytest.fixture
def clusters(fake: FakeCluster, tmp_path: Path) -> Iterator[DeadlyClusters]:
    with closing(Writers.to(fake, tmp_path)) as clusters:
        yield clusters


@pytest.fixture
def client(fake: FakeCluster, tmp_path: Path) -> Iterator[Client]:
    with Client(fake.write_kubeconfig(tmp_path / "shop")) as client:
        yield client


@pytest.mark.parametrize("keeps_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_kill_at_any_write_changes_neither_the_end_nor_leaves_anything(
    fake: FakeCluster,
    client: Client,
    clusters: DeadlyClusters,
    clock: Clock,
    tmp_path: Path,
    name: str,
    sent: bool,
    keeps_state: bool,
    long: bool,
) -> None:
    case = CASES[name]
    driver = DeploymentUpdate(clusters=clusters, now=clock)
    writes = range(1, MAX_WRITES) if long else range(1 + keeps_state, MAX_WRITES, 2)
    for write in writes:
        clusters.armed = None
        namespace = f"shop-{write}"
        shop = start(fake, client, tmp_path / "shop", namespace)
        if case.autoscaled:
            shop.autoscaler()
        if case.before:
            serve_first(driver, case, namespace)
        run = Run(
            driver, _in(case.settings, namespace), case.event, context(write), clock, keeps_state
        )
        with shop.prober() as prober:
            clusters.arm(write, sent)
            ended = run.to_the_end()
        assert isinstance(ended, DriverError if case.reason else Done), ended
        assert getattr(ended, "reason", "") == case.reason, ended
        shop.assert_at_rest(case.image, case.second)
        assert not case.autoscaled or shop.target() == "shop"
        assert prober.least >= REPLICAS
        fake.delete("Namespace", "", namespace)
        if not run.killed:
            return
    raise AssertionError(f"more than {MAX_WRITES} writes")


def start(fake: FakeCluster, client: Client, kubeconfig: Path, namespace: str) -> Shop:
    fake.apply({"kind": "Namespace", "metadata": {"name": namespace}})
    shop = Shop(client, kubeconfig, namespace)
    shop.start()
    shop.service("shop-preview")
    fake.answer(namespace, "shop-preview", lambda ask, pod: Reply(200))
    return shop


def serve_first(driver: DeploymentUpdate, case: Case, namespace: str) -> None:
    """The push before is served, and its old pods are still kept."""
    assert case.before
    keeping = _in(blue_green(keepSeconds=600), namespace)
    at = context(0)
    outcome = driver.execute(keeping, case.before, at)
    while isinstance(outcome, Wait) and not outcome.settled:
        at = replace(at, state=outcome.state)
        outcome = driver.execute(keeping, case.before, at)
    assert isinstance(outcome, Wait), outcome


def _in(settings: DeploymentUpdateConfig, namespace: str) -> DeploymentUpdateConfig:
    return settings.model_copy(update={"namespace": namespace})
