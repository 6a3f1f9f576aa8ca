"""What may not be looked at any more goes back as soon as it may, and else is told in full."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.client import MERGE, Client
from tests.drivers.steps import LABELS, SHA, Clock, context, push, run_to_end
from tests.drivers.strategies.colours import OURS, REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Context, DriverError, Interruption, Wait
from webhook_service.testing import FakeCluster

EVENT = push("2", SHA)
PAUSED = canary(steps=[{"weight": 20, "pauseSeconds": 600}])


@pytest.fixture
def shop(fake: FakeCluster, tmp_path: Path) -> Iterator[Shop]:
    path = fake.write_kubeconfig(tmp_path / "shop")
    with Client(path) as client:
        shop = Shop(client, path)
        shop.start(minReadySeconds=1)  # so that a test finds it midway
        yield shop


def begun(driver: DeploymentUpdate, settings: DeploymentUpdateConfig, name: str) -> Context:
    """A push whose second Deployment is there."""
    at, until = context(1), time.monotonic() + 60
    while time.monotonic() < until:
        outcome = driver.execute(settings, EVENT, at)
        assert isinstance(outcome, Wait)
        at = replace(at, state=outcome.state)
        if name in outcome.message:
            return at
        time.sleep(0.01)
    raise AssertionError(outcome.message)


@pytest.mark.parametrize(
    ("settings", "waits", "denied"),
    [
        (blue_green(), "new pods", "services"),
        (blue_green(), "new pods", "deployments"),
        (PAUSED, "next step", "deployments"),
    ],
)
def test_a_push_that_may_not_look_any_more_goes_back_when_it_may_again(
    driver: DeploymentUpdate,
    shop: Shop,
    fake: FakeCluster,
    settings: DeploymentUpdateConfig,
    waits: str,
    denied: str,
) -> None:
    at = begun(driver, settings, waits)
    fake.deny("get", denied)
    waiting = driver.execute(settings, EVENT, at)
    assert isinstance(waiting, Wait) and "rolling back: Not allowed to get" in waiting.message
    fake.allow_all()
    with pytest.raises(DriverError, match="It was rolled back to acme/shop:1") as caught:
        run_to_end(driver, settings, EVENT, replace(at, state=waiting.state))
    assert caught.value.reason == "rolled_back" and "Not allowed to get" in caught.value.message
    second = "shop-green" if settings.strategy.type == "blueGreen" else "shop-canary"
    shop.assert_at_rest("acme/shop:1", second)


def test_what_stays_is_named_with_commands_that_remove_it(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster, clock: Clock
) -> None:
    at = begun(driver, blue_green(), "new pods")
    assert OURS[1] in shop.selector()
    fake.deny("patch", "*")
    fake.deny("delete", "*")

    def hurry(_: Wait) -> None:
        clock.ahead += 30

    with pytest.raises(DriverError) as caught:
        run_to_end(driver, blue_green(), EVENT, at, hurry)
    fake.allow_all()
    message = caught.value.message
    assert caught.value.reason == "rollback_failed"
    assert "Left behind: the selector pod-template-hash=" in message
    assert f"Deployment default/shop-green with {REPLICAS} pods" in message
    for command in re.findall(r"kubectl -n default ([^;]*)[;.]", message):
        by_hand(shop, shlex.split(command))
    shop.assert_at_rest("acme/shop:1")
    assert shop.selector() == LABELS


@pytest.mark.parametrize("make", [canary, blue_green])
def test_an_abort_that_does_not_come_to_its_end_names_what_stays(
    driver: DeploymentUpdate,
    shop: Shop,
    fake: FakeCluster,
    clock: Clock,
    make: Callable[..., DeploymentUpdateConfig],
) -> None:
    at = begun(driver, make(), "new pods")
    fake.deny("delete", "*")
    with pytest.raises(DriverError) as caught:
        for _ in range(100):
            outcome = driver.interrupt(make(), EVENT, at, Interruption.ABORT)
            assert isinstance(outcome, Wait)
            at = replace(at, state=outcome.state)
            clock.ahead += 1
    fake.allow_all()
    error = caught.value
    second = "shop-green" if make is blue_green else "shop-canary"
    assert error.reason == "rollback_failed" and "was aborted" in error.message
    assert f"Left behind: Deployment default/{second} with 0 pods" in error.message
    for command in re.findall(r"kubectl -n default ([^;]*)[;.]", error.message):
        by_hand(shop, shlex.split(command))
    shop.assert_at_rest("acme/shop:1", second)


def test_what_the_cluster_removes_with_its_owner_is_no_leftover(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    at = begun(driver, blue_green(), "new pods")
    green = fake.get("Deployment", "default", "shop-green")
    shop.client.ok("DELETE", shop._path("Deployment", "shop"))
    kept = ("name", "namespace", "ownerReferences")
    green["metadata"] = {key: green["metadata"][key] for key in kept}
    fake.apply(green)  # as if the garbage collector took its time
    with pytest.raises(DriverError, match="was not found: create it") as caught:
        driver.interrupt(blue_green(), EVENT, at, Interruption.ABORT)
    assert fake.get("Deployment", "default", "shop-green")
    assert "Left behind" not in caught.value.message


def by_hand(shop: Shop, words: list[str]) -> None:
    """Do what a command of kubectl does."""
    match words:
        case ["patch", "service", name, "--type", "merge", "-p", patch]:
            shop.patch("Service", json.loads(patch), name)
        case ["delete", "deployment", name]:
            shop.client.ok("DELETE", shop._path("Deployment", name))
        case ["annotate", "deployment", name, *keys]:
            notes = {key.removesuffix("-"): None for key in keys}
            body = {"metadata": {"annotations": notes}}
            shop.client.ok("PATCH", shop._path("Deployment", name), body, MERGE)
        case _:
            raise AssertionError(words)


def test_tidying_up_waits_for_a_right_that_comes_back(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster, clock: Clock
) -> None:
    settings = blue_green(keepSeconds=600)
    at = begun(driver, settings, "is kept for")
    for denied in ("services", "horizontalpodautoscalers"):
        fake.deny("*", denied)
        waiting = driver.execute(settings, EVENT, at)
        assert isinstance(waiting, Wait) and waiting.settled and "Not allowed" in waiting.message
        fake.allow_all()
        at = replace(at, state=waiting.state)
    clock.ahead += 601
    run_to_end(driver, settings, EVENT, at)
    shop.assert_at_rest(f"acme/shop:2@{SHA}")
