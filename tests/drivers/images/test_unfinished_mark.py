"""A push with pods beside a workload is cancelled midway: another strategy takes over."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client
from tests.drivers.steps import LABELS, OTHER_SHA, SHA, config, context, push, run_to_end
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.drivers.restart import Restart, RestartConfig
from webhook_drivers.kubernetes.images.unfinished_mark import UNFINISHED
from webhook_service import Context, Done, DriverError, Interruption, Retry, Unchanged, Wait
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
def shop(request: pytest.FixtureRequest, kubeconfig: Path) -> Iterator[Shop]:
    with Client(kubeconfig) as client:
        shop = Shop(client, kubeconfig)
        # So that green is not served already when the test looks.
        slow = "before" in request.node.name
        shop.start(**({"minReadySeconds": 1} if slow else {}))
        shop.service("shop-preview")
        yield shop


@pytest.fixture(params=BEGUN)
def settings(request: pytest.FixtureRequest) -> DeploymentUpdateConfig:
    """The config of a push that is left midway."""
    return BEGUN[request.param][0]


@pytest.fixture(autouse=True)
def begun(request: pytest.FixtureRequest, driver: DeploymentUpdate, shop: Shop) -> Context | None:
    """The context of its next step."""
    if "settings" not in request.fixturenames:
        return None
    settings, is_midway = BEGUN[request.node.callspec.params["settings"]]
    at = context(1)
    while not is_midway(shop):
        outcome = driver.execute(settings, push("2", SHA), at)
        assert isinstance(outcome, Wait), outcome
        at = replace(at, state=outcome.state)
    return at


OTHERS: list[dict[str, Any]] = [
    {"type": "rolling"},
    {"type": "recreate"},
    {"type": "canary", "service": "shop", "steps": [{"weight": 50}]},
    {"type": "blueGreen", "service": "shop", "keepSeconds": 0},
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: str(other["type"]))
def test_another_strategy_takes_over_what_the_first_has_left(
    driver: DeploymentUpdate,
    shop: Shop,
    settings: DeploymentUpdateConfig,
    other: dict[str, Any],
) -> None:
    newest = config(strategy=other)
    with shop.prober() as prober:
        ended = run_to_end(driver, newest, push("3", OTHER_SHA), context(2))
    assert isinstance(ended, Done), ended
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest(NEWEST, second)
    assert other["type"] == "recreate" or prober.least >= REPLICAS


@pytest.mark.parametrize("other", OTHERS[:2], ids=lambda other: str(other["type"]))
def test_a_push_goes_on_when_its_receiver_gets_another_strategy_meanwhile(
    driver: DeploymentUpdate,
    shop: Shop,
    settings: DeploymentUpdateConfig,
    begun: Context,
    other: dict[str, Any],
) -> None:
    ended = run_to_end(driver, config(strategy=other), push("2", SHA), begun)
    assert isinstance(ended, Done), ended
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest(f"acme/shop:2@{SHA}", second)


@pytest.mark.parametrize("tag", ["2", "bad"])
@pytest.mark.parametrize("other", OTHERS[2:], ids=lambda other: str(other["type"]))
@pytest.mark.parametrize("first", OTHERS[:2], ids=lambda first: str(first["type"]))
def test_a_rollout_that_was_begun_in_place_is_followed_to_its_end_by_another_strategy(
    driver: DeploymentUpdate, shop: Shop, first: dict[str, Any], other: dict[str, Any], tag: str
) -> None:
    shop.patch("Deployment", {"spec": {"minReadySeconds": 1}})
    begun = driver.execute(config(strategy=first), push(tag), context(1))
    assert isinstance(begun, Wait)
    at, now = replace(context(1), state=begun.state), config(strategy=other, timeoutSeconds=5)

    def is_not_settled(wait: Wait) -> None:
        assert not wait.settled or shop.get("Deployment")["status"].get("availableReplicas") == 3

    if tag == "bad":
        with pytest.raises(DriverError, match="did not complete within 5 s") as caught:
            run_to_end(driver, now, push(tag), at, is_not_settled)
        assert caught.value.reason == "rolled_back"
    else:
        ended = run_to_end(driver, now, push(tag), at, is_not_settled)
        assert isinstance(ended, Done) and "3 of 3 pods run" in ended.message
    shop.assert_at_rest("acme/shop:1" if tag == "bad" else "acme/shop:2")


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: str(other["type"]))
def test_a_replay_of_what_was_left_midway_deploys_it(
    driver: DeploymentUpdate,
    shop: Shop,
    settings: DeploymentUpdateConfig,
    other: dict[str, Any],
) -> None:
    replay = context(2, identity="push-1")
    ended = run_to_end(driver, config(strategy=other), push("2", SHA), replay)
    assert isinstance(ended, Done | Unchanged), ended
    assert "taken back" not in str(ended)
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest(f"acme/shop:2@{SHA}", second)


def test_an_abort_goes_back_although_the_receiver_has_another_strategy_now(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig, begun: Context
) -> None:
    for _ in range(300):
        outcome = driver.interrupt(config(), push("2", SHA), begun, Interruption.ABORT)
        if not isinstance(outcome, Wait):
            break
        begun = replace(begun, state=outcome.state)
    assert isinstance(outcome, Done) and "shop:1" in outcome.message
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest("acme/shop:1", second)


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: str(other["type"]))
def test_a_rollback_goes_back_by_the_strategy_that_the_receiver_has_now(
    driver: DeploymentUpdate,
    shop: Shop,
    settings: DeploymentUpdateConfig,
    other: dict[str, Any],
) -> None:
    now = config(strategy=other)
    assert driver.observe(now, push("1"), context(2)) == driver.observe(
        settings, push("1"), context(2)
    ), "what serves is seen, whichever strategy brought it"
    with shop.prober() as prober:
        run_to_end(driver, now, push("1"), context(2, rolls_back="push-1"))
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest("acme/shop:1", second)
    assert other["type"] == "recreate" or prober.least >= REPLICAS
    replayed = driver.execute(now, push("2", SHA), context(3, identity="push-1"))
    assert isinstance(replayed, Unchanged) and "was rolled back" in replayed.reason


@pytest.mark.parametrize("other", OTHERS[:2], ids=lambda other: str(other["type"]))
def test_a_mark_of_release_0_1_0_which_names_no_service_is_recognised_too(
    driver: DeploymentUpdate,
    shop: Shop,
    settings: DeploymentUpdateConfig,
    other: dict[str, Any],
) -> None:
    old = f"{settings.strategy.type} docker.io/acme/shop"
    shop.patch("Deployment", {"metadata": {"annotations": {UNFINISHED: old}}})
    ended = run_to_end(driver, config(strategy=other), push("3", OTHER_SHA), context(2))
    assert isinstance(ended, Done), ended
    for second in ("shop-green", "shop-canary"):
        shop.assert_at_rest(NEWEST, second)
    assert shop.selector("shop-preview") == LABELS


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_an_old_mark_with_nothing_beside_it_is_removed(
    driver: DeploymentUpdate, shop: Shop, strategy: str
) -> None:
    left = {UNFINISHED: f"{strategy} docker.io/acme/shop"}
    shop.patch("Deployment", {"metadata": {"annotations": left}})
    assert isinstance(run_to_end(driver, config(), push("3", OTHER_SHA), context(2)), Done)
    shop.assert_at_rest(NEWEST)


def test_a_mark_that_nobody_can_tidy_up_after_is_refused_with_what_to_do(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    for service in ("shop", "shop-preview"):
        shop.client.ok("DELETE", shop._path("Service", service))
    broken = {UNFINISHED: "canary docker.io/acme/shop"}
    shop.patch("Deployment", {"metadata": {"annotations": broken}})
    said = "A canary push to Deployment default/shop was not brought to its end"
    with pytest.raises(DriverError, match=said) as caught:
        driver.execute(config(), push("3", OTHER_SHA), context(2))
    assert caught.value.reason == "unfinished" and shop.image() == "acme/shop:1"


def test_a_plan_says_what_comes_first(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig
) -> None:
    plan = driver.plan(config(), push("3", OTHER_SHA), context(2))
    assert plan.changes and "was not brought to its end" in plan.notes[0]


def test_the_push_of_another_image_of_the_pod_waits(
    driver: DeploymentUpdate, shop: Shop, settings: DeploymentUpdateConfig
) -> None:
    with pytest.raises(Retry, match="in use by a .* push of docker.io/acme/shop"):
        driver.execute(config(), push("2", repository="library/envoy"), context(2))


def test_a_restart_waits(kubeconfig: Path, shop: Shop, settings: DeploymentUpdateConfig) -> None:
    restarted = RestartConfig(namespace="default", name="shop")
    with closing(Restart({"kubeconfig": str(kubeconfig)})) as driver, pytest.raises(Retry):
        driver.execute(restarted, push("2"), context(2, named=True))
