"""A push with pods beside a workload is cancelled midway: no other strategy takes them away."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client
from tests.drivers.steps import OTHER_SHA, SHA, config, context, push, run_to_end
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.drivers.restart import Restart, RestartConfig
from webhook_drivers.kubernetes.images.unfinished_mark import UNFINISHED
from webhook_service import Done, DriverError, Retry, Wait
from webhook_service.testing import FakeCluster

NEWEST = f"acme/shop:3@{OTHER_SHA}"
BEGUN: dict[str, tuple[DeploymentUpdateConfig, Callable[[Shop], bool]]] = {
    "blueGreen, before the switch": (
        blue_green(preview="shop-preview"),
        lambda shop: "pod-template-hash" in shop.selector(),
    ),
    "blueGreen, after the switch": (
        blue_green(keepSeconds=600),
        lambda shop: "webhook-service.io/color" in shop.selector(),
    ),
    "canary": (canary(), lambda shop: shop.find("Deployment", "shop-canary") is not None),
}


@pytest.fixture
def kubeconfig(fake: FakeCluster, tmp_path: Path) -> Path:
    return fake.write_kubeconfig(tmp_path / "shop")


@pytest.fixture
def shop(kubeconfig: Path) -> Iterator[Shop]:
    with Client(kubeconfig) as client:
        shop = Shop(client, kubeconfig)
        shop.start()
        shop.service("shop-preview")
        yield shop


@pytest.fixture(params=BEGUN)
def settings(request: pytest.FixtureRequest, driver: DeploymentUpdate, shop: Shop) -> Any:
    """The config of a push that people have cancelled midway."""
    settings, is_midway = BEGUN[request.param]
    at = context(1)
    while not is_midway(shop):
        outcome = driver.execute(settings, push("2", SHA), at)
        assert isinstance(outcome, Wait), outcome
        at = replace(at, state=outcome.state)
    return settings


@pytest.mark.parametrize("other", ["rolling", "recreate"])
def test_another_strategy_is_refused_until_the_first_has_tidied_up(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig, other: str
) -> None:
    newest, second = config(strategy={"type": other}), f"shop-{_color(settings)}"
    before = shop.get("Deployment")["spec"]
    said = f"A {settings.strategy.type} push to Deployment default/shop was not brought to its end"
    with shop.prober() as prober:
        with pytest.raises(DriverError, match=said) as caught:
            driver.execute(newest, push("3", OTHER_SHA), context(2))
        assert shop.get("Deployment")["spec"] == before
        at_once = settings.strategy.model_copy(update={"keep_seconds": 0})
        hasty = settings.model_copy(update={"strategy": at_once})
        assert isinstance(run_to_end(driver, hasty, push("2.1"), context(3)), Done)
        shop.assert_at_rest("acme/shop:2.1", second)
    assert caught.value.reason == "unfinished" and prober.least >= REPLICAS
    assert isinstance(run_to_end(driver, newest, push("3", OTHER_SHA), context(4)), Done)
    shop.assert_at_rest(NEWEST, second)


def test_a_plan_says_it(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig
) -> None:
    plan = driver.plan(config(), push("3", OTHER_SHA), context(2))
    assert plan.changes == () and UNFINISHED in plan.notes[0]


def test_the_push_of_another_image_of_the_pod_waits(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig
) -> None:
    with pytest.raises(Retry, match="in use by a .* push of docker.io/acme/shop"):
        driver.execute(config(), push("2", repository="library/envoy"), context(2))


def test_a_restart_waits(kubeconfig: Path, shop: Shop, settings: DeploymentUpdateConfig) -> None:
    restarted = RestartConfig(namespace="default", name="shop")
    with closing(Restart({"kubeconfig": str(kubeconfig)})) as driver, pytest.raises(Retry):
        driver.execute(restarted, push("2"), context(2, named=True))


def _color(settings: DeploymentUpdateConfig) -> str:
    return "canary" if settings.strategy.type == "canary" else "green"
