"""A StatefulSet whose pods a push has stopped gets them back, whatever people do then."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Cluster
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop
from tests.contract.test_interruptions import stop
from tests.drivers.steps import config, context, images_of, push, run_to_end
from tests.support import PROJECT, wait_for
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.unfinished_mark import DRAINED
from webhook_service import Context, Done, Unchanged, Wait

RECREATE = {"type": "recreate"}
STRATEGIES = [{"type": "rolling"}, RECREATE]
OLD, EVENT = "acme/shop:1", push("2")


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[DeploymentUpdate]:
    with closing(DeploymentUpdate({"kubeconfig": str(cluster.kubeconfig)})) as driver:
        yield driver


@pytest.fixture
def at(driver: DeploymentUpdate, shop: Shop) -> Context:
    """The next step of a push that has stopped the pods, and not yet set the image."""
    shop.create("StatefulSet")
    first = driver.execute(settings(shop, RECREATE), EVENT, context(1))
    assert isinstance(first, Wait)
    assert (replicas(shop), image(shop)) == (0, OLD)
    return replace(context(1), state=first.state)


def settings(shop: Shop, strategy: dict[str, Any]) -> Any:
    return config(shop.namespace, kind="StatefulSet", strategy=strategy)


def replicas(shop: Shop) -> int:
    return int(shop.get("StatefulSet")["spec"]["replicas"])


def image(shop: Shop) -> str:
    return images_of(shop.get("StatefulSet"))["app"]


def assert_whole(shop: Shop, runs: str) -> None:
    found = shop.get("StatefulSet")
    assert (image(shop), replicas(shop)) == (runs, 2)
    assert DRAINED not in (found["metadata"].get("annotations") or {})


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_a_push_that_has_stopped_the_pods_goes_on_by_the_strategy_that_the_receiver_has_now(
    driver: DeploymentUpdate, shop: Shop, at: Context, strategy: dict[str, Any]
) -> None:
    ended = run_to_end(driver, settings(shop, strategy), EVENT, at)
    assert isinstance(ended, Done) and "2 of 2 pods run" in ended.message
    assert_whole(shop, "acme/shop:2")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_a_newer_push_gives_the_pods_back(
    driver: DeploymentUpdate, shop: Shop, at: Context, strategy: dict[str, Any]
) -> None:
    ended = run_to_end(driver, settings(shop, strategy), push("3"), context(2))
    assert isinstance(ended, Done) and "2 of 2 pods run" in ended.message
    assert_whole(shop, "acme/shop:3")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_a_push_of_what_is_there_already_gives_the_pods_back_too(
    driver: DeploymentUpdate, shop: Shop, at: Context, strategy: dict[str, Any]
) -> None:
    ended = run_to_end(driver, settings(shop, strategy), push("1"), context(2))
    assert isinstance(ended, Done | Unchanged)
    assert_whole(shop, OLD)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_an_abort_gives_the_pods_back(
    driver: DeploymentUpdate, shop: Shop, at: Context, strategy: dict[str, Any]
) -> None:
    ended = stop(driver, settings(shop, strategy), EVENT, at)
    assert isinstance(ended, Done) and f"runs {OLD}" in ended.message
    assert_whole(shop, OLD)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_a_replay_of_what_was_left_midway_deploys_it(
    driver: DeploymentUpdate, shop: Shop, at: Context, strategy: dict[str, Any]
) -> None:
    replay = context(2, identity="push-1")
    assert isinstance(run_to_end(driver, settings(shop, strategy), EVENT, replay), Done)
    assert_whole(shop, "acme/shop:2")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["type"]))
def test_a_rollback_of_a_push_that_was_cancelled_while_nothing_ran_gives_the_pods_back(
    cluster: Cluster, shop: Shop, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    shop.create("StatefulSet")
    with serving(cluster.kubeconfig, tmp_path) as service:
        deployed = Deployed(service, shop, kind="StatefulSet", strategy=RECREATE)
        deployed.cancel_when_changed("bad")
        assert image(shop) in (OLD, "acme/shop:bad")
        own = {"namespace": shop.namespace, "name": "shop", "kind": "StatefulSet"}
        body = {"deploymentUpdateConfig": {**own, "strategy": strategy}}
        service.update_receiver(PROJECT, deployed.receiver, body)
        back = deployed.roll_back()
        assert back.state in ("succeeded", "unchanged"), back.message
        wait_for(lambda: shop.settled("StatefulSet"))
    assert_whole(shop, OLD)
