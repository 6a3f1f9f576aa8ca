"""Stopping at any stage, on both clusters: what was before serves again at once."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployer import deployer
from tests.contract.shares import Shares
from tests.contract.shop import Shop as Target
from tests.drivers.steps import config, context, images_of, push, run_to_end
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.unfinished_mark import DRAINED
from webhook_drivers.kubernetes.strategies.blue_green.settle import Settling
from webhook_service import (
    Context,
    Done,
    DriverError,
    GiveWay,
    Interruption,
    Outcome,
    PushEvent,
    Superseded,
    Unchanged,
    Wait,
)
from webhook_service.model.history.revision import TAKEN_BACK

OLD, NEW = "acme/shop:1", "acme/shop:2"
PAUSES = {"steps": [{"weight": 50, "pauseSeconds": 600}]}
FIRST = context(1)


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start()
    return shop


@pytest.fixture
def driver(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str, shop: Shop
) -> Iterator[DeploymentUpdate]:
    with deployer(request, cluster, client, namespace) as driver:
        yield driver


def until(
    driver: DeploymentUpdate,
    settings: DeploymentUpdateConfig,
    event: PushEvent,
    where: Callable[[Wait], bool],
) -> Context:
    """Run the first push until it waits in some way; gives the context of its next step."""
    stand = FIRST
    for _ in range(400):
        outcome = driver.execute(settings, event, stand)
        assert isinstance(outcome, Wait), outcome
        stand = replace(stand, state=outcome.state)
        if where(outcome):
            return stand
        time.sleep(min(outcome.after, 0.05))
    raise AssertionError(outcome.message)


def stop(
    driver: DeploymentUpdate,
    settings: DeploymentUpdateConfig,
    event: PushEvent,
    stand: Context,
    why: Interruption = Interruption.ABORT,
) -> Outcome:
    """Call ``interrupt`` as the engine does, with its pauses."""
    for _ in range(200):
        outcome = driver.interrupt(settings, event, stand, why)
        if not isinstance(outcome, Wait):
            return outcome
        stand = replace(stand, state=outcome.state)
        time.sleep(outcome.after)
    raise AssertionError(outcome)


def says(text: str) -> Callable[[Wait], bool]:
    return lambda wait: text in wait.message


def test_a_canary_in_its_pause_gives_its_traffic_back_within_five_seconds(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = canary(namespace, **PAUSES)
    stand = until(driver, settings, push("2"), says("the next step is in"))
    with Shares(shop.kubeconfig, namespace) as shares:
        time.sleep(0.3)
        asked = shares.now
        outcome = stop(driver, settings, push("2"), stand)
        eventually(lambda: shares.seen[-1][1] == {OLD: REPLICAS})
    assert isinstance(outcome, Done)
    assert f"runs {OLD}" in outcome.message and "aborted" in outcome.message
    assert max(shares.of(NEW, asked)) <= shares.of(NEW)[0] == 2
    assert shares.gone(NEW, asked) < 5
    assert min(shares.totals()) >= REPLICAS
    shop.assert_at_rest(OLD, "shop-canary")


def test_a_canary_goes_although_the_old_pods_do_not_come_back(
    driver: DeploymentUpdate, shop: Shop, namespace: str, cluster: Cluster
) -> None:
    settings = canary(namespace, steps=[{"weight": 30, "pauseSeconds": 600}])
    stand = until(driver, settings, push("2"), says("the next step is in"))
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "3"}}}
    shop.client.ok("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    with Shares(shop.kubeconfig, namespace) as shares:
        outcome = stop(driver, settings, push("2"), stand)
        eventually(lambda: shares.seen[-1][1] == {OLD: REPLICAS})
    assert isinstance(outcome, Done)
    assert shares.gone(NEW, 0) < 6
    shop.assert_at_rest(OLD, "shop-canary")


def test_blue_green_before_the_switch_removes_green(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = blue_green(namespace)
    stand = until(driver, settings, push("bad"), says("pods"))
    with Shares(shop.kubeconfig, namespace) as shares:
        assert isinstance(stop(driver, settings, push("bad"), stand), Done)
        time.sleep(0.1)
    assert {image for _, found in shares.seen for image in found} == {OLD}
    assert min(shares.totals()) == REPLICAS
    shop.assert_at_rest(OLD)


def test_blue_green_after_the_switch_goes_back_in_one_patch(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    stand = until(driver, settings, push("2"), lambda wait: "kept for" in wait.message)
    with Shares(shop.kubeconfig, namespace) as shares:
        time.sleep(0.2)
        asked = shares.now
        outcome = stop(driver, settings, push("2"), stand)
        time.sleep(0.1)
    assert isinstance(outcome, Done)
    assert shares.of(NEW)[0] == REPLICAS and shares.gone(NEW, asked) < 2
    assert min(shares.totals()) >= REPLICAS
    shop.assert_at_rest(OLD)


def runs(target: Target) -> str:
    return images_of(target.get("StatefulSet"))["app"]


def brought_home(shop: Shop) -> bool:
    return shop.image() == NEW and shop.find("Deployment", "shop-green") is not None


@pytest.mark.parametrize("serves", ["shop-green", "shop"])
def test_blue_green_on_its_way_home_goes_back_too(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    serves: str,
) -> None:
    shop.patch("Deployment", {"spec": {"minReadySeconds": 1}})
    settings = blue_green(namespace, keepSeconds=0)
    if serves == "shop":
        # It goes no further, with its Service back on people's Deployment.
        monkeypatch.setattr(Settling, "_clear", lambda self: Progress(Stage.SETTLED, "stays"))
        stand = until(driver, settings, push("2"), says("stays"))
        monkeypatch.undo()
    else:
        stand = until(driver, settings, push("2"), lambda wait: brought_home(shop))
    with Shares(shop.kubeconfig, namespace) as shares:
        outcome = stop(driver, settings, push("2"), stand)
        eventually(lambda: shares.seen[-1][1] == {OLD: REPLICAS})
    assert isinstance(outcome, Done) and f"runs {OLD}" in outcome.message
    assert min(shares.totals()) >= REPLICAS
    shop.assert_at_rest(OLD)


@pytest.mark.parametrize("number", [0, 5])
def test_a_number_that_people_set_while_green_serves_outlives_an_abort(
    driver: DeploymentUpdate, shop: Shop, namespace: str, number: int
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    stand = until(driver, settings, push("2"), says("kept for"))
    shop.patch("Deployment", {"spec": {"replicas": number}})
    assert isinstance(stop(driver, settings, push("2"), stand), Done)
    assert (shop.image(), shop.get("Deployment")["spec"]["replicas"]) == (OLD, number)
    assert shop.find("Deployment", "shop-green") is None
    eventually(lambda: shop.ready() == number)


def test_an_image_that_people_set_while_green_serves_runs_after_an_abort(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = blue_green(namespace, keepSeconds=600)
    stand = until(driver, settings, push("2"), says("kept for"))
    pod = {"containers": [{"name": "app", "image": "acme/shop:hand"}]}
    shop.patch("Deployment", {"spec": {"template": {"spec": pod}}})
    outcome = stop(driver, settings, push("2"), stand)
    assert isinstance(outcome, Done) and "runs acme/shop:hand" in outcome.message
    shop.assert_at_rest("acme/shop:hand")


@pytest.mark.parametrize("aborted", ["before its pods have ended", "on its way back"])
def test_a_number_that_people_set_while_nothing_runs_outlives_an_abort(
    driver: DeploymentUpdate, client: Client, namespace: str, aborted: str
) -> None:
    target = Target(client, namespace)
    target.create("StatefulSet")
    settings = config(namespace, kind="StatefulSet", strategy={"type": "recreate"})
    first = driver.execute(settings, push("2"), FIRST)
    assert isinstance(first, Wait)
    stand = replace(FIRST, state=first.state)
    if aborted == "on its way back":
        stand = until(driver, settings, push("2"), lambda _: runs(target) == NEW)
        back = driver.interrupt(settings, push("2"), stand, Interruption.ABORT)
        assert isinstance(back, Wait)
        stand = replace(stand, state=back.state)
    assert target.get("StatefulSet")["spec"]["replicas"] == 0
    path = target.path("StatefulSet")
    client.ok("PATCH", path, {"spec": {"replicas": 3}}, MERGE)
    outcome = stop(driver, settings, push("2"), stand)
    assert isinstance(outcome, Done) and f"runs {OLD}" in outcome.message
    found = target.get("StatefulSet")
    assert (runs(target), found["spec"]["replicas"]) == (OLD, 3)
    assert DRAINED not in found["metadata"].get("annotations", {})


def test_rolling_goes_back(driver: DeploymentUpdate, shop: Shop, namespace: str) -> None:
    settings = config(namespace)
    stand = until(driver, settings, push("bad"), says("pods"))
    outcome = stop(driver, settings, push("bad"), stand)
    assert isinstance(outcome, Done)
    shop.assert_at_rest(OLD)
    again = driver.execute(settings, push("bad"), context(1, execution="exe_x", order_key="0002"))
    assert isinstance(again, Unchanged), "the same push is not deployed again"


@pytest.mark.parametrize("make", [config, canary, blue_green])
def test_what_crashed_before_it_could_remember_anything_goes_back_too(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[[str], DeploymentUpdateConfig],
) -> None:
    settings = make(namespace)
    until(driver, settings, push("bad"), says("pods"))
    assert isinstance(stop(driver, settings, push("bad"), FIRST), Done)
    shop.assert_at_rest(OLD, "shop-canary" if make is canary else "shop-green")


def test_a_rolling_push_goes_on_where_it_was_if_the_newer_one_is_refused(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = config(namespace)
    stand = until(driver, settings, push("2"), says(""))
    gave_way = driver.interrupt(settings, push("2"), stand, Interruption.NEWER)
    assert isinstance(gave_way, GiveWay)
    again = replace(stand, state=gave_way.state)
    assert isinstance(run_to_end(driver, settings, push("2"), again), Done)
    shop.assert_at_rest(NEW)


def test_what_has_changed_nothing_yet_says_so(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    outcome = stop(driver, config(namespace), push("2"), FIRST)
    assert isinstance(outcome, Unchanged) and "Nothing was changed" in outcome.reason
    with pytest.raises(Superseded):
        stop(driver, config(namespace), push("2"), FIRST, Interruption.NEWER)


@pytest.mark.parametrize("why", [Interruption.NEWER, Interruption.ROLLBACK])
def test_a_rolling_push_gives_way_at_once_and_the_newer_one_patches(
    driver: DeploymentUpdate, shop: Shop, namespace: str, why: Interruption
) -> None:
    settings = config(namespace)
    stand = until(driver, settings, push("bad"), says("pods"))
    gave_way = driver.interrupt(settings, push("bad"), stand, why)
    assert isinstance(gave_way, GiveWay) and "A newer push is to begin now" in gave_way.message
    assert gave_way.changes and gave_way.state
    assert isinstance(run_to_end(driver, settings, push("3"), context(3)), Done)
    shop.assert_at_rest("acme/shop:3")


@pytest.mark.parametrize("make", [canary, blue_green])
def test_what_is_beside_the_workload_is_withdrawn_before_the_newer_push_begins(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[..., DeploymentUpdateConfig],
) -> None:
    settings = make(namespace, **(PAUSES if make is canary else {}))
    event = push("2" if make is canary else "bad")
    stand = until(driver, settings, event, says("next step" if make is canary else "pods"))
    with pytest.raises(Superseded, match="withdrawn for a newer push") as withdrawn:
        stop(driver, settings, event, stand, Interruption.NEWER)
    assert withdrawn.value.reason in TAKEN_BACK
    shop.assert_at_rest(OLD, "shop-canary" if make is canary else "shop-green")


def test_a_receiver_that_waits_finishes_the_older_push_first(
    driver: DeploymentUpdate, shop: Shop, namespace: str
) -> None:
    settings = config(namespace, onNewer="wait")
    stand = until(driver, settings, push("2"), says(""))
    assert isinstance(stop(driver, settings, push("2"), stand, Interruption.NEWER), Done)
    assert shop.image() == NEW
    until_bad = replace(context(2), state={})
    outcome = driver.execute(settings, push("bad"), until_bad)
    assert isinstance(outcome, Wait)
    stand = replace(until_bad, state=outcome.state)
    outcome = driver.interrupt(settings, push("bad"), stand, Interruption.ROLLBACK)
    assert isinstance(outcome, GiveWay)


@pytest.mark.parametrize("make", [canary, blue_green])
def test_a_fix_gets_in_although_nothing_of_what_runs_is_ready(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[..., DeploymentUpdateConfig],
) -> None:
    shop.patch("Deployment", broken("acme/shop:bad0"))
    shop.patch("Deployment", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    eventually(lambda: shop.ready() == 0)
    began = time.monotonic()
    assert isinstance(run_to_end(driver, make(namespace), push("2"), context(1)), Done)
    assert time.monotonic() - began < 15
    shop.assert_at_rest(NEW, "shop-canary" if make is canary else "shop-green")


@pytest.mark.parametrize("make", [canary, blue_green])
def test_a_fix_gets_in_over_a_failed_rollout_and_the_old_pods_serve_until_then(
    driver: DeploymentUpdate,
    shop: Shop,
    namespace: str,
    make: Callable[..., DeploymentUpdateConfig],
) -> None:
    shop.patch("Deployment", {"spec": {"progressDeadlineSeconds": 1}})
    bad = config(namespace, timeoutSeconds=6)
    with pytest.raises(DriverError, match="failed"):
        run_to_end(driver, bad, push("bad"), context(1))
    # A good one may take longer than a second on a busy machine.
    shop.patch("Deployment", {"spec": {"progressDeadlineSeconds": 60}})
    with Shares(shop.kubeconfig, namespace) as shares:
        assert isinstance(run_to_end(driver, make(namespace), push("2"), context(2)), Done)
        time.sleep(0.2)
    assert min(shares.totals()) >= REPLICAS - 1
    shop.assert_at_rest(NEW, "shop-canary" if make is canary else "shop-green")


def broken(image: str) -> dict[str, Any]:
    containers = [{"name": "app", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}
