"""A rollout is followed by a watch, and without one where there is none."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.shop import Shop, account, permitted
from tests.drivers.steps import SHA, config, context, push
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.manifests import roles
from webhook_drivers.kubernetes.strategies.recreate import Recreate
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.kubernetes.strategies.strategy import Strategy
from webhook_service import Done, DriverError, Outcome, Wait

PATIENT = 5.0
"""Seconds: longer than any look by the clock alone."""


class Following:
    """A push, as an engine brings it to its end: a step when it is woken, else when it is time."""

    def __init__(self, driver: DeploymentUpdate, settings: Any, number: int, tag: str) -> None:
        self._driver, self._settings, self._event = driver, settings, push(tag, SHA)
        self._woken = threading.Event()
        self._context = context(number, wake=self._woken.set)
        self.pauses: list[float] = []

    def step(self) -> Outcome:
        self._woken.clear()
        outcome = self._driver.execute(self._settings, self._event, self._context)
        if isinstance(outcome, Wait):
            self.pauses.append(outcome.after)
            self._context = replace(self._context, state=outcome.state)
        return outcome

    def to_end(self, between: Callable[[], object] = lambda: None) -> Outcome:
        outcome = self.step()
        between()
        while isinstance(outcome, Wait):
            self._woken.wait(outcome.after)
            outcome = self.step()
        return outcome


@contextmanager
def asked(driver: DeploymentUpdate) -> Iterator[list[str]]:
    """The methods of the requests that leave us now, without those of Events."""
    transport, found = driver._clusters.get().transport, list[str]()
    exchange = transport.exchange

    def counted(ask: ApiRequest) -> ApiReply:
        if not ask.path.endswith("/events"):
            found.append(ask.method)
        return exchange(ask)

    transport.exchange = counted  # type: ignore[method-assign]
    yield found
    transport.exchange = exchange  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [("Deployment", Rolling()), ("DaemonSet", Rolling()), ("Deployment", Recreate())],
    ids=["rolling Deployment", "rolling DaemonSet", "recreate Deployment"],
)
def test_following_a_rollout_costs_no_request(
    driver: DeploymentUpdate, shop: Shop, kind: str, strategy: Strategy[Any]
) -> None:
    shop.create(kind)
    said = strategy.model_dump(by_alias=True, exclude_none=True)
    settings = config(shop.namespace, kind=kind, timeoutSeconds=60, strategy=said)
    with asked(driver) as found:
        for number, tag in enumerate(("2", "3"), 1):
            following = Following(driver, settings, number, tag)
            assert isinstance(following.to_end(found.clear), Done)
            assert found == []
            assert following.pauses and min(following.pauses) > PATIENT
    assert shop.get(kind)["spec"]["template"]["spec"]["containers"][0]["image"].endswith(SHA)


def test_a_push_costs_one_read_and_one_patch(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    settings = config(shop.namespace, timeoutSeconds=60)
    assert isinstance(Following(driver, settings, 1, "2").to_end(), Done)
    with asked(driver) as found:
        assert isinstance(Following(driver, settings, 2, "3").to_end(), Done)
    assert found == ["GET", "PATCH"]


def test_a_workload_that_is_deleted_ends_its_push_at_once(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    settings = config(shop.namespace, timeoutSeconds=60)
    following = Following(driver, settings, 1, "bad")
    with pytest.raises(DriverError) as caught:
        following.to_end(lambda: shop.client.ok("DELETE", shop.path()))
    assert caught.value.reason == "not_found"


def test_one_that_is_made_again_is_no_rollout_of_the_push(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    settings = config(shop.namespace, timeoutSeconds=60)
    following = Following(driver, settings, 1, "bad")

    def make_again() -> None:
        shop.client.ok("DELETE", shop.path())
        eventually(lambda: shop.create(image="acme/shop:by-hand"))

    with pytest.raises(DriverError) as caught:
        following.to_end(make_again)
    assert caught.value.reason in ("conflict", "not_found")


@pytest.fixture
def unwatching(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str
) -> Iterator[DeploymentUpdate]:
    """A driver without the right to watch."""
    path: Path = cluster.kubeconfig
    if cluster.fake is None:
        (role,) = roles(["deploymentUpdate"])
        for rule in role["rules"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
        path = account(request, client, namespace, [role])
    else:
        cluster.fake.deny("watch", "deployments", namespace)
    with closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
        if cluster.real:
            eventually(lambda: permitted(driver, namespace))
        yield driver
    if cluster.fake is not None:
        cluster.fake.allow_all()


def test_without_the_right_to_watch_it_is_looked_at_by_the_clock_and_said_once(
    unwatching: DeploymentUpdate, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.create()
    settings = config(shop.namespace, timeoutSeconds=60)
    unwatching.validate(settings, context(1))
    for number, tag in enumerate(("2", "3"), 1):
        following = Following(unwatching, settings, number, tag)
        assert isinstance(following.to_end(), Done)
        assert all(pause < PATIENT for pause in following.pauses[1:])
    said = [each for each in caplog.records if "does not let us watch" in each.getMessage()]
    assert len(said) == 1


def test_what_needs_more_than_the_workload_is_looked_at_by_the_clock(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    strategy = Recreate(restore_strategy=True).model_dump(by_alias=True, exclude_none=True)
    settings = config(shop.namespace, timeoutSeconds=60, strategy=strategy)
    following = Following(driver, settings, 1, "2")
    assert isinstance(following.to_end(), Done)
    assert max(following.pauses) < PATIENT
    assert not driver._clusters.get().transport.watches._watches
