"""A Deployment that is made anew says no more what is beside it, and what is there must not stay.

On both clusters: the real garbage collector takes its time, and so do real Endpoints.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployer import deployer
from tests.contract.test_interruptions import stop
from tests.contract.test_two_objects import make_anew, on_green, step_until
from tests.drivers.steps import LABELS, OTHER_SHA, SHA, config, context, push, run_to_end, workload
from tests.drivers.strategies.colours import OURS, REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import Done, Unchanged, Wait

NEW, NEWEST = f"acme/shop:2@{SHA}", f"acme/shop:3@{OTHER_SHA}"
EVENT, NEXT = push("2", SHA), push("3", OTHER_SHA)
OTHERS: dict[str, dict[str, Any]] = {
    "rolling": {"type": "rolling"},
    "recreate": {"type": "recreate"},
    "canary": {"type": "canary", "service": "shop", "steps": [{"weight": 50}]},
}


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start(minReadySeconds=1)  # so that a push is not whole before a test looks
    return shop


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str
) -> Iterator[DeploymentUpdate]:
    with deployer(request, cluster, client, namespace) as driver:
        yield driver


WHEN: dict[str, Callable[[Shop], bool]] = {
    "before the switch": lambda shop: OURS[1] in shop.selector(),
    "after the switch": on_green,
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("when", WHEN)
def test_the_push_of_another_strategy_widens_a_service_that_a_lost_switch_left_narrowed(
    driver: DeploymentUpdate, shop: Shop, namespace: str, other: str, when: str
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    step_until(driver, settings, lambda _: WHEN[when](shop))
    come_anew(shop)
    newest = config(namespace, strategy=OTHERS[other])
    assert isinstance(run_to_end(driver, newest, NEXT, context(2)), Done)
    shop.assert_at_rest(NEWEST)
    assert shop.find("Deployment", "shop-canary") is None


def test_a_push_of_what_runs_already_widens_it_too(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    step_until(driver, blue_green(namespace, keepSeconds=600), lambda _: on_green(shop))
    come_anew(shop, NEWEST)
    ended = run_to_end(driver, config(namespace), NEXT, context(2))
    assert isinstance(ended, Unchanged) and "already runs" in ended.reason
    shop.assert_at_rest(NEWEST)


@pytest.mark.parametrize("when", WHEN)
def test_the_push_that_narrowed_it_goes_on_by_another_strategy(
    driver: DeploymentUpdate, shop: Shop, namespace: str, when: str
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    at = step_until(driver, settings, lambda _: WHEN[when](shop))
    come_anew(shop)
    assert isinstance(run_to_end(driver, config(namespace), EVENT, at), Done)
    shop.assert_at_rest(NEW)


@pytest.mark.parametrize("when", WHEN)
def test_an_abort_by_another_strategy_leaves_nothing_narrowed(
    driver: DeploymentUpdate, shop: Shop, namespace: str, when: str
) -> None:
    at = step_until(driver, blue_green(namespace, keepSeconds=600), lambda _: WHEN[when](shop))
    come_anew(shop)
    assert isinstance(stop(driver, config(namespace), EVENT, at), Done)
    shop.assert_at_rest("acme/shop:1")


def test_pods_of_an_orphaned_second_deployment_go_away(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    step_until(driver, canary(namespace, steps=[{"weight": 50, "pauseSeconds": 600}]), paused)
    orphan = {"propagationPolicy": "Orphan"}
    shop.client.ok("DELETE", shop._path("Deployment", "shop"), orphan)
    eventually(lambda: shop.find("Deployment", "shop") is None)
    shop.create()
    eventually(lambda: has_pods(shop))
    assert isinstance(run_to_end(driver, config(namespace), NEXT, context(2)), Done)
    assert shop.image() == NEWEST
    eventually(lambda: shop.find("Deployment", "shop-canary") is None)


def test_a_preview_of_a_lost_canary_shows_the_pods_of_the_next_push(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.service("preview")
    steps = [{"weight": 50, "pauseSeconds": 600}]
    step_until(driver, canary(namespace, steps=steps, preview="preview"), paused)
    assert OURS[0] in shop.selector("preview")
    come_anew(shop)
    eventually(lambda: shop.find("Deployment", "shop-canary") is None)
    assert isinstance(run_to_end(driver, config(namespace), NEXT, context(2)), Done)
    assert shop.selector("preview") == LABELS
    shop.assert_at_rest(NEWEST, "shop-canary")


def test_a_receiver_that_gets_another_service_leaves_the_first_one_as_it_was_written(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.service("shop-2")
    step_until(driver, blue_green(namespace, keepSeconds=600), lambda wait: wait.settled)
    with shop.prober() as prober:
        newest = blue_green(namespace, service="shop-2")
        assert isinstance(run_to_end(driver, newest, NEXT, context(2)), Done)
    assert prober.least >= REPLICAS, prober.counts
    assert shop.selector("shop-2") == LABELS
    shop.assert_at_rest(NEWEST)


def test_a_switch_of_another_deployment_is_left_alone(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    step_until(driver, blue_green(namespace, keepSeconds=600), lambda wait: wait.settled)
    labels = {**LABELS, "part": "worker"}
    worker = workload(image="acme/shop:1", selector={"matchLabels": {"part": "worker"}})
    worker["metadata"] = {"name": "worker", "namespace": namespace}
    worker["spec"]["template"]["metadata"]["labels"] = labels
    shop.client.ok("POST", shop._path("Deployment"), worker)
    settings = config(namespace, name="worker")
    assert isinstance(run_to_end(driver, settings, NEXT, context(2)), Done)
    assert on_green(shop) and shop.find("Deployment", "shop-green")


def paused(wait: Wait) -> bool:
    return "next step" in wait.message


def come_anew(shop: Shop, image: str = "acme/shop:1") -> None:
    """A Deployment of the same name that has nothing of ours, and its pods."""
    make_anew(shop, image)
    eventually(lambda: has_pods(shop))


def has_pods(shop: Shop) -> bool:
    return shop.get("Deployment").get("status", {}).get("replicas") == REPLICAS
