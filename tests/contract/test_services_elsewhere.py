"""Somebody points the Service of a push at other pods: they get their traffic, and it is left so.

On both clusters: real Endpoints take their time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployer import deployer
from tests.contract.test_interruptions import stop
from tests.contract.test_two_objects import on_green, step_until
from tests.drivers.steps import LABELS, SHA, Clock, push, run_to_end, workload
from tests.drivers.strategies.colours import OURS, REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import Done, DriverError, Wait

OLD, NEW = "acme/shop:1", f"acme/shop:2@{SHA}"
EVENT = push("2", SHA)
OTHER = {"app": "other"}
SAID = r"Service .*/shop does not send to the pods of Deployment .*/shop \(it selects app=other\)"
WHEN: dict[str, tuple[dict[str, Any], Callable[[Shop], bool]]] = {
    "before the switch": ({}, lambda shop: OURS[1] in shop.selector()),
    "after the switch": ({"keepSeconds": 600}, on_green),
    "without the old pods": (
        {"keepSeconds": 600, "keep": "zero"},
        lambda shop: shop.get("Deployment")["spec"]["replicas"] == 0,
    ),
}


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    """A shop, and three pods of another workload."""
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start(minReadySeconds=1)
    other = workload(image="acme/other:1", replicas=REPLICAS, selector={"matchLabels": OTHER})
    other["metadata"] = {"name": "other", "namespace": namespace}
    other["spec"]["template"]["metadata"]["labels"] = OTHER
    client.ok("POST", shop._path("Deployment"), other)
    return shop


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str, clock: Clock
) -> Iterator[DeploymentUpdate]:
    with deployer(request, cluster, client, namespace, now=clock) as driver:
        yield driver


@pytest.fixture
def clock() -> Clock:
    return Clock()


def replace_selector(shop: Shop, selector: dict[str, str], service: str = "shop") -> None:
    """As ``kubectl replace`` does: nothing of ours is left in it."""
    ours = dict.fromkeys(set(shop.selector(service)) - set(selector))
    shop.patch("Service", {"spec": {"selector": {**ours, **selector}}}, service)


def apply_selector(shop: Shop, selector: dict[str, str]) -> None:
    """As ``kubectl apply`` does: what it did not write stays."""
    shop.patch("Service", {"spec": {"selector": selector}})


@pytest.mark.parametrize("point", [replace_selector, apply_selector])
@pytest.mark.parametrize("when", WHEN)
def test_a_service_pointed_elsewhere_is_left_there_and_the_push_is_taken_back(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    when: str,
    point: Callable[[Shop, dict[str, str]], None],
) -> None:
    options, is_then = WHEN[when]
    settings = blue_green(namespace, **options)
    at = step_until(driver, settings, lambda _: is_then(shop))
    point(shop, OTHER)

    def looked(_: Wait) -> None:
        assert shop.selector() == OTHER, "nothing narrows it any more"

    with pytest.raises(DriverError, match=SAID) as caught:
        run_to_end(driver, settings, EVENT, at, looked)
    assert caught.value.reason == "rolled_back"
    eventually(lambda: shop.ready() == REPLICAS)
    assert shop.selector() == OTHER
    replace_selector(shop, LABELS)
    shop.assert_at_rest(OLD)


@pytest.mark.parametrize("point", [replace_selector, apply_selector])
def test_an_abort_leaves_a_service_that_was_pointed_elsewhere_there(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    point: Callable[[Shop, dict[str, str]], None],
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    at = step_until(driver, settings, lambda wait: wait.settled)
    point(shop, OTHER)
    assert isinstance(stop(driver, settings, EVENT, at), Done)
    assert shop.selector() == OTHER
    replace_selector(shop, LABELS)
    shop.assert_at_rest(OLD)


def test_a_canary_whose_service_is_pointed_elsewhere_is_taken_back_at_once(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = canary(namespace, steps=[{"weight": 25, "pauseSeconds": 600}])
    at = step_until(driver, settings, lambda wait: "next step" in wait.message)
    replace_selector(shop, OTHER)
    with pytest.raises(DriverError, match=SAID) as caught:
        run_to_end(driver, settings, EVENT, at)
    assert caught.value.reason == "rolled_back" and shop.selector() == OTHER
    replace_selector(shop, LABELS)
    shop.assert_at_rest(OLD, "shop-canary")


def test_a_preview_that_is_for_other_pods_is_not_moved(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.service("preview")
    settings = blue_green(namespace, preview="preview")
    at = step_until(driver, settings, lambda _: OURS[1] in shop.selector())
    replace_selector(shop, OTHER, "preview")
    with pytest.raises(DriverError, match=SAID.replace("shop does", "preview does")):
        run_to_end(driver, settings, EVENT, at)
    assert shop.selector("preview") == OTHER
    shop.assert_at_rest(OLD)


def test_labels_that_people_give_their_pods_and_service_while_green_serves_bring_the_traffic_home(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    at = step_until(driver, settings, lambda wait: wait.settled)
    labelled = {**LABELS, "track": "two"}
    template = {"metadata": {"labels": labelled}}
    shop.patch("Deployment", {"spec": {"template": template}})
    apply_selector(shop, labelled)  # green's pods have no such label
    at = step_until(driver, settings, lambda _: not on_green(shop), at)
    at = step_until(driver, settings, lambda wait: "kept" in wait.message, at)
    eventually(lambda: shop.ready() == REPLICAS)
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    assert shop.image() == NEW and shop.selector() == labelled
    eventually(lambda: shop.ready() == REPLICAS)
