"""What others do to one of the objects that belong together: it is deleted, made anew, rewritten.

On both clusters: the real garbage collector takes its time, and so do real Endpoints.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployer import deployer
from tests.drivers.steps import LABELS, SHA, Clock, context, push, run_to_end, template_of
from tests.drivers.strategies.colours import OURS, REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.images.rollout import Progress
from webhook_drivers.kubernetes.strategies.blue_green.colours import Colours
from webhook_service import Context, Done, DriverError, Wait

NEW = f"acme/shop:2@{SHA}"
EVENT = push("2", SHA)
KEPT: dict[str, Any] = {"keepSeconds": 600}
PAUSED: dict[str, Any] = {"steps": [{"weight": 25, "pauseSeconds": 600}]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    return Shop(client, cluster.kubeconfig, namespace)


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str, clock: Clock
) -> Iterator[DeploymentUpdate]:
    with deployer(request, cluster, client, namespace, now=clock) as driver:
        yield driver


def step_until(
    driver: DeploymentUpdate,
    settings: DeploymentUpdateConfig,
    done: Callable[[Wait], bool],
    at: Context | None = None,
) -> Context:
    """Call `execute` as the engine does until its wait is what a test waits for."""
    at = at or context(1)
    deadline = time.monotonic() + 30
    while True:
        outcome = driver.execute(settings, EVENT, at)
        assert isinstance(outcome, Wait), outcome
        at = replace(at, state=outcome.state)
        if done(outcome):
            return at
        assert time.monotonic() < deadline, outcome.message
        time.sleep(min(outcome.after, 0.05))


def on_green(shop: Shop) -> bool:
    return shop.selector().get(OURS[0]) == "green"


def make_anew(shop: Shop, image: str = "acme/shop:1", **spec: Any) -> None:
    """As GitOps does it when somebody has deleted the Deployment."""
    shop.client.ok("DELETE", shop._path("Deployment", "shop"))
    eventually(lambda: shop.find("Deployment", "shop") is None)
    shop.create(image, **spec)


def test_a_deployment_made_anew_while_green_serves_gets_its_traffic_and_the_push(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    assert on_green(shop)
    make_anew(shop)
    at = step_until(driver, settings, lambda wait: wait.settled and "kept" in wait.message, at)
    assert shop.ready() == REPLICAS
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    shop.assert_at_rest(NEW)


def test_a_deployment_that_is_gone_leaves_no_narrowed_service(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    shop.client.ok("DELETE", shop._path("Deployment", "shop"))
    eventually(lambda: shop.find("Deployment", "shop") is None)
    with pytest.raises(DriverError, match="selects as it was written again") as caught:
        driver.execute(settings, EVENT, at)
    assert caught.value.reason == "not_found"
    assert shop.selector() == LABELS
    eventually(lambda: shop.find("Deployment", "shop-green") is None)
    shop.create()
    eventually(lambda: shop.ready() == REPLICAS)
    assert isinstance(run_to_end(driver, settings_now(settings), EVENT, context(2)), Done)
    shop.assert_at_rest(NEW)


def settings_now(settings: DeploymentUpdateConfig) -> DeploymentUpdateConfig:
    return blue_green(settings.namespace, keepSeconds=0)


@pytest.mark.parametrize("left", ["color", "hash"])
def test_a_service_that_was_left_narrowed_to_nothing_is_widened_by_the_next_push(
    driver: DeploymentUpdate, shop: Shop, namespace: str, left: str
) -> None:
    shop.start()
    stale = {"color": {OURS[0]: "green"}, "hash": {OURS[1]: "none"}}[left]
    shop.patch("Service", {"spec": {"selector": stale}})
    eventually(lambda: shop.ready() == 0)
    outcome = run_to_end(driver, blue_green(namespace), EVENT, context(2))
    assert isinstance(outcome, Done)
    assert outcome.message == f"3 of 3 pods run docker.io/{NEW}."
    shop.assert_at_rest(NEW)


def test_a_service_deleted_before_the_switch_leaves_nothing_behind(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    settings = blue_green(namespace)
    at = step_until(driver, settings, lambda _: shop.find("Deployment", "shop-green") is not None)
    shop.client.ok("DELETE", shop._path("Service", "shop"))
    with pytest.raises(DriverError, match="Service .*/shop was deleted meanwhile") as caught:
        run_to_end(driver, settings, EVENT, at)
    assert caught.value.reason == "rolled_back"
    shop.service("shop")
    shop.assert_at_rest("acme/shop:1")


def test_a_service_deleted_after_the_switch_takes_the_push_back(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    shop.client.ok("DELETE", shop._path("Service", "shop"))
    with pytest.raises(DriverError, match="It was rolled back to acme/shop:1"):
        run_to_end(driver, settings, EVENT, at)
    shop.service("shop")
    shop.assert_at_rest("acme/shop:1")


def test_a_service_deleted_while_the_deployment_is_emptied_brings_its_pods_back(
    driver: DeploymentUpdate, shop: Shop, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.start()
    scale, emptied = Colours.scale, []

    def and_delete(self: Colours, obj: Json, where: Address, replicas: int) -> Progress | None:
        scaled = scale(self, obj, where, replicas)
        if where == self.home and replicas == 0 and not emptied:
            emptied.append(where)
            shop.client.ok("DELETE", shop._path("Service", "shop"))
        return scaled

    monkeypatch.setattr(Colours, "scale", and_delete)
    with pytest.raises(DriverError, match="Service .*/shop was deleted meanwhile") as caught:
        run_to_end(driver, blue_green(namespace), EVENT, context(1))
    assert emptied and caught.value.reason == "rolled_back"
    shop.service("shop")
    shop.assert_at_rest("acme/shop:1")


@pytest.mark.parametrize("keep", ["scaled", "zero"])
def test_green_deleted_while_it_serves_is_replaced_by_the_old_pods_and_then_made_again(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock, keep: str
) -> None:
    shop.start()
    settings = blue_green(namespace, keep=keep, **KEPT)
    at = step_until(driver, settings, lambda wait: "kept" in wait.message)
    shop.client.ok("DELETE", shop._path("Deployment", "shop-green"))
    # Pods that are still there would be taken over by the second one when it is made again.
    eventually(lambda: shop.ready() == 0)
    at = step_until(driver, settings, lambda _: not on_green(shop), at)
    eventually(lambda: shop.ready() == REPLICAS)
    at = step_until(driver, settings, lambda wait: "kept" in wait.message, at)
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    shop.assert_at_rest(NEW)


def test_an_image_that_people_set_on_green_while_it_serves_takes_the_push_back(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    pod = {"containers": [{"name": "app", "image": "acme/shop:hand"}]}
    shop.patch("Deployment", {"spec": {"template": {"spec": pod}}}, "shop-green")
    with shop.prober() as prober, pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, EVENT, at)
    assert "/shop-green was changed by somebody else (" in caught.value.message
    assert "It was rolled back to acme/shop:1" in caught.value.message
    shop.assert_at_rest("acme/shop:1")
    assert prober.least >= REPLICAS, prober.counts


def test_a_service_deleted_during_a_canary_leaves_nothing_behind(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    steps = [{"weight": 25, "pauseSeconds": 600}, {"weight": 67}]
    settings = canary(namespace, steps=steps)
    at = step_until(driver, settings, lambda wait: "next step" in wait.message)
    shop.client.ok("DELETE", shop._path("Service", "shop"))
    clock.ahead += 601
    with pytest.raises(DriverError, match="Service .*/shop was deleted meanwhile") as caught:
        run_to_end(driver, settings, EVENT, at)
    assert caught.value.reason == "rolled_back"
    shop.service("shop")
    shop.assert_at_rest("acme/shop:1", "shop-canary")


def test_a_selector_that_is_rewritten_after_the_switch_is_moved_again_at_once(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    shop.patch("Service", {"spec": {"selector": dict.fromkeys(OURS)}})
    at = step_until(driver, settings, lambda _: True, at)
    assert on_green(shop)
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    shop.assert_at_rest(NEW)


def test_a_template_that_people_change_before_the_switch_costs_no_traffic_and_is_deployed(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    shop.start(minReadySeconds=1)
    settings = blue_green(namespace)
    at = step_until(driver, settings, lambda _: OURS[1] in shop.selector())
    labelled = {"metadata": {"annotations": {"acme.example/note": "edited"}}}
    with shop.prober() as prober:
        shop.patch("Deployment", {"spec": {"template": labelled}})
        assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    shop.assert_at_rest(NEW)
    edited = template_of(shop.get("Deployment"))["metadata"]["annotations"]
    assert edited["acme.example/note"] == "edited"
    assert min(prober.served) > 0, prober.served


def test_a_number_that_people_set_while_green_serves_is_kept(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    shop.patch("Deployment", {"spec": {"replicas": 5}})
    at = step_until(driver, settings, lambda wait: "kept" in wait.message, at)
    assert shop.get("Deployment", "shop-green")["spec"]["replicas"] == 5
    clock.ahead += 601
    outcome = run_to_end(driver, settings, EVENT, at)
    assert isinstance(outcome, Done) and "5 of 5 pods run" in outcome.message
    assert shop.get("Deployment")["spec"]["replicas"] == 5


@pytest.mark.parametrize("number", [1, 6])
def test_a_number_that_people_set_during_a_canary_is_kept(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock, number: int
) -> None:
    shop.start()
    settings = canary(namespace, **PAUSED)
    at = step_until(driver, settings, lambda wait: "next step" in wait.message)
    shop.patch("Deployment", {"spec": {"replicas": number}})
    at = step_until(driver, settings, lambda wait: "next step" in wait.message, at)
    clock.ahead += 601
    outcome = run_to_end(driver, settings, EVENT, at)
    assert isinstance(outcome, Done) and f"{number} of {number} pods run" in outcome.message
    assert shop.get("Deployment")["spec"]["replicas"] == number
    assert shop.find("Deployment", "shop-canary") is None


def test_a_shop_that_people_close_during_a_canary_stays_closed(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = canary(namespace, **PAUSED)
    at = step_until(driver, settings, lambda wait: "next step" in wait.message)
    shop.patch("Deployment", {"spec": {"replicas": 0}})
    at = step_until(
        driver, settings, lambda wait: "next step" in wait.message and not shop.ready(), at
    )
    clock.ahead += 601
    outcome = run_to_end(driver, settings, EVENT, at)
    assert isinstance(outcome, Done) and "is scaled to 0, so no pod runs" in outcome.message
    assert shop.get("Deployment")["spec"]["replicas"] == 0


def test_the_number_of_an_autoscaler_that_appears_during_a_canary_is_kept(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    steps = [{"weight": 25, "pauseSeconds": 600}, {"weight": 50, "pauseSeconds": 600}]
    settings = canary(namespace, steps=steps)
    at = step_until(driver, settings, lambda wait: "25 % run" in wait.message)
    shop.autoscaler()
    for number in (6, 5):
        # Its controller knows nothing of the canary, and sets what the load asks for.
        shop.patch("Deployment", {"spec": {"replicas": number}})
        at = step_until(driver, settings, lambda wait: "next step" in wait.message, at)
    assert deployments_want(shop) == 5
    clock.ahead += 601
    at = step_until(driver, settings, lambda wait: "50 % run" in wait.message, at)
    clock.ahead += 601
    outcome = run_to_end(driver, settings, EVENT, at)
    assert isinstance(outcome, Done) and "5 of 5 pods run" in outcome.message
    assert shop.get("Deployment")["spec"]["replicas"] == 5 and shop.target() == "shop"
    assert shop.find("Deployment", "shop-canary") is None


def deployments_want(shop: Shop) -> int:
    found = (shop.get("Deployment", name) for name in ("shop", "shop-canary"))
    return sum(each["spec"]["replicas"] for each in found)


def test_a_deployment_made_anew_during_a_canary_gets_the_push(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = canary(namespace, **PAUSED)
    at = step_until(driver, settings, lambda wait: "next step" in wait.message)
    make_anew(shop)
    at = step_until(driver, settings, lambda wait: "next step" in wait.message, at)
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, EVENT, at), Done)
    shop.assert_at_rest(NEW, "shop-canary")


@pytest.mark.parametrize("strategy", [blue_green, canary])
def test_pods_that_are_chosen_by_expressions_are_told_apart(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    strategy: Callable[..., DeploymentUpdateConfig],
) -> None:
    expression = {"key": "app", "operator": "In", "values": ["shop", "store"]}
    shop.start(selector={"matchExpressions": [expression]})
    settings = strategy(namespace)
    with shop.prober() as prober:
        assert isinstance(run_to_end(driver, settings, EVENT, context(1)), Done)
    second = "shop-green" if settings.strategy.type == "blueGreen" else "shop-canary"
    shop.assert_at_rest(NEW, second)
    assert prober.least >= REPLICAS


def test_a_second_deployment_that_outlives_its_owner_is_removed_once_theirs_serves(
    driver: DeploymentUpdate, shop: Shop, namespace: str, clock: Clock
) -> None:
    shop.start()
    settings = blue_green(namespace, **KEPT)
    at = step_until(driver, settings, lambda wait: wait.settled)
    options = {"propagationPolicy": "Orphan"}
    shop.client.ok("DELETE", shop._path("Deployment", "shop"), options)
    eventually(lambda: shop.find("Deployment", "shop") is None)
    with shop.prober() as prober:
        shop.create()
        assert isinstance(run_to_end(driver, settings_now(settings), EVENT, at), Done)
    # The pods of the first Deployment were orphaned too, and stay.
    assert shop.image() == NEW and shop.selector() == LABELS
    assert shop.find("Deployment", "shop-green") is None
    assert prober.least >= REPLICAS, prober.counts
