import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from tests.contract.client import Client
from tests.drivers.faulty import faulty
from tests.drivers.steps import (
    LABELS,
    OTHER_SHA,
    SHA,
    Clock,
    context,
    push,
    run_to_end,
    template_of,
)
from tests.drivers.strategies.colours import REPLICAS, Shop, canary
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import (
    Done,
    DriverError,
    InvalidConfig,
    Superseded,
    Unchanged,
    Wait,
)
from webhook_service.testing import Ask, FakeCluster, Reply, sample_context

NEW = f"acme/shop:2@{SHA}"


@pytest.fixture
def shop(fake: FakeCluster, tmp_path: Path) -> Iterator[Shop]:
    path = fake.write_kubeconfig(tmp_path / "shop")
    with Client(path) as client:
        shop = Shop(client, path)
        shop.start()
        yield shop


def at_rest(shop: Shop, image: str) -> None:
    shop.assert_at_rest(image, "shop-canary")
    annotations = shop.get("Deployment")["metadata"]["annotations"]
    ours = {"webhook-service.io/canary-replicas", "webhook-service.io/step"}
    assert not ours & annotations.keys()


def shares(
    shop: Shop, driver: DeploymentUpdate, clock: Clock, settings: Any
) -> list[tuple[int, int]]:
    """How many pods of both kinds were wanted, whenever the driver waited."""
    seen: list[tuple[int, int]] = []

    def note(_: Wait) -> None:
        second = shop.find("Deployment", "shop-canary")
        first = shop.get("Deployment")["spec"]["replicas"]
        pair = (first, second["spec"]["replicas"] if second else 0)
        seen.append(pair)
        clock.ahead += 5

    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1), note), Done)
    return seen


def test_a_push_gets_a_growing_share_and_then_all(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    before = template_of(shop.get("Deployment"))
    steps = [{"weight": weight, "pauseSeconds": 20} for weight in (20, 50, 90)]
    with shop.prober() as prober:
        seen = shares(shop, driver, clock, canary(steps=steps))
    assert {(3, 1), (2, 1), (1, 2)} <= set(seen)
    at_rest(shop, NEW)
    assert prober.least == REPLICAS
    before["spec"]["containers"][0]["image"] = NEW
    assert template_of(shop.get("Deployment")) == before


def test_at_a_hundred_per_cent_no_old_pod_is_left(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    steps = [{"weight": 100, "pauseSeconds": 20}]
    with shop.prober() as prober:
        assert (0, 3) in shares(shop, driver, clock, canary(steps=steps))
    at_rest(shop, NEW)
    assert prober.least == REPLICAS


def test_one_pod_is_shared_with_a_second_one(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    shop.patch("Deployment", {"spec": {"replicas": 1}})
    seen = shares(shop, driver, clock, canary(steps=[{"weight": 20, "pauseSeconds": 20}]))
    assert (1, 1) in seen and (0, 1) not in seen
    assert shop.get("Deployment")["spec"]["replicas"] == 1


def test_each_pause_is_kept_and_survives_a_lost_state(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    settings = canary(steps=[{"weight": 20, "pauseSeconds": 300}])
    outcome = driver.execute(settings, push("2", SHA), context(1))
    while isinstance(outcome, Wait) and "the next step is in" not in outcome.message:
        outcome = driver.execute(settings, push("2", SHA), replace(context(1), state=outcome.state))
    clock.ahead += 290
    lost = driver.execute(settings, push("2", SHA), context(1))
    assert isinstance(lost, Wait) and not lost.settled
    assert 0 < lost.after <= 10 and "20 % run" in lost.message
    clock.ahead += 11
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
    at_rest(shop, NEW)


def test_a_rollback_keeps_no_pause_and_asks_no_check(
    driver: DeploymentUpdate, shop: Shop, clock: Clock, fake: FakeCluster
) -> None:
    shop.service("shop-preview")
    asked: list[str] = []

    def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
        asked.append(pod["spec"]["containers"][0]["image"])
        return Reply(200)

    fake.answer("default", "shop-preview", answer)
    steps = [{"weight": weight, "pauseSeconds": 3600} for weight in (20, 50, 90)]
    settings = canary(steps=steps, preview="shop-preview", check={"path": "/health"})

    def wait_out(wait: Wait) -> None:
        if "the next step is in" in wait.message:
            clock.ahead += 3600

    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1), wait_out), Done)
    asked.clear()
    seen: list[str] = []
    back = context(2, rolls_back="push-1")
    with shop.prober() as prober:
        done = run_to_end(
            driver, settings, push("1", OTHER_SHA), back, lambda wait: seen.append(wait.message)
        )
    assert isinstance(done, Done)
    assert not any("the next step is in" in message for message in seen) and not asked
    at_rest(shop, f"acme/shop:1@{OTHER_SHA}")
    assert prober.least == REPLICAS


@pytest.mark.parametrize("digest", [None, OTHER_SHA], ids=["tag", "digest"])
def test_a_rollback_clears_a_share_that_was_left_in_its_pause_and_starts_no_pods(
    driver: DeploymentUpdate, shop: Shop, clock: Clock, digest: str | None
) -> None:
    settings = canary(steps=[{"weight": 20, "pauseSeconds": 3600}])
    assert isinstance(_to_the_pause(driver, settings, push("1", digest), 1, clock), Done)
    before = template_of(shop.get("Deployment"))
    assert isinstance(_to_the_pause(driver, settings, push("2", SHA), 2), Wait)
    # Somebody cancelled it by force there: nobody calls it again, and its pods stay.
    assert shop.find("Deployment", "shop-canary")
    messages: list[str] = []
    back = context(3, rolls_back="push-2")
    with shop.prober() as prober:
        run_to_end(
            driver, settings, push("1", digest), back, lambda wait: messages.append(wait.message)
        )
    assert not any("the next step is in" in message for message in messages)
    at_rest(shop, f"acme/shop:1@{digest}" if digest else "acme/shop:1")
    assert template_of(shop.get("Deployment")) == before
    assert prober.least == REPLICAS


def _to_the_pause(
    driver: DeploymentUpdate, settings: Any, event: Any, number: int, clock: Clock | None = None
) -> Any:
    """Run a push up to its pause; with a clock past it, to its end."""
    outcome = driver.execute(settings, event, context(number))
    while isinstance(outcome, Wait):
        if "the next step is in" in outcome.message:
            if clock is None:
                return outcome
            clock.ahead += 3600
        outcome = driver.execute(settings, event, replace(context(number), state=outcome.state))
    return outcome


def test_a_bad_image_is_taken_back_at_the_first_step(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    def hurry(waiting: Wait) -> None:
        if "new pods are" in waiting.message and not waiting.message.startswith("rolling back"):
            clock.ahead += 21

    before = template_of(shop.get("Deployment"))
    with shop.prober() as prober, pytest.raises(DriverError, match="rolled back") as caught:
        run_to_end(driver, canary(), push("bad"), context(1), hurry)
    assert caught.value.reason == "rolled_back"
    at_rest(shop, "acme/shop:1")
    assert template_of(shop.get("Deployment")) == before
    assert prober.least == REPLICAS
    replay = driver.execute(canary(), push("bad"), context(2, identity="push-1"))
    assert isinstance(replay, Unchanged)


def test_a_failed_check_takes_the_share_back(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    shop.service("shop-preview")
    asked: list[str] = []

    def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
        asked.append(pod["spec"]["containers"][0]["image"])
        return Reply(200 if len(asked) < 3 else 503)

    fake.answer("default", "shop-preview", answer)
    check = {"path": "/health", "count": 2, "intervalSeconds": 0}
    settings = canary(preview="shop-preview", check=check)
    with shop.prober() as prober, pytest.raises(DriverError, match="answered 503 instead of 200"):
        run_to_end(driver, settings, push("2", SHA), context(1))
    assert asked == [NEW] * 3
    at_rest(shop, "acme/shop:1")
    assert shop.selector("shop-preview") == LABELS
    assert prober.least == REPLICAS


def test_a_promotion_that_takes_too_long_is_taken_back(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    shop.patch("Deployment", {"spec": {"minReadySeconds": 1}})
    before = template_of(shop.get("Deployment"))

    def halt(waiting: Wait) -> None:
        if waiting.message.startswith("rolling back"):
            shop.patch("Deployment", {"spec": {"paused": None}})
        elif shop.image() == NEW:
            shop.patch("Deployment", {"spec": {"paused": True}})
            clock.ahead += 21

    with shop.prober() as prober, pytest.raises(DriverError, match="rolled back"):
        run_to_end(driver, canary(steps=[{"weight": 20}]), push("2", SHA), context(1), halt)
    at_rest(shop, "acme/shop:1")
    assert template_of(shop.get("Deployment")) == before
    assert prober.least == REPLICAS


def test_the_canary_makes_room_where_a_quota_has_none_for_both(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    shop.patch("Deployment", {"spec": {"strategy": {"rollingUpdate": rolling}}})
    spec = {"hard": {"pods": "4"}}
    fake.apply({"kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": spec})
    with shop.prober() as prober:
        assert isinstance(run_to_end(driver, canary(), push("2", SHA), context(1)), Done)
    at_rest(shop, NEW)
    assert prober.least == REPLICAS


def test_a_newer_push_takes_over_and_the_pods_stay_as_many(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = canary(steps=[{"weight": 50, "pauseSeconds": 600}])
    outcome = driver.execute(settings, push("2", SHA), context(1))
    while isinstance(outcome, Wait) and "the next step is in" not in outcome.message:
        outcome = driver.execute(settings, push("2", SHA), replace(context(1), state=outcome.state))
    assert isinstance(outcome, Wait)
    with shop.prober() as prober:
        newer = push("3", OTHER_SHA)
        assert isinstance(run_to_end(driver, canary(), newer, context(2)), Done)
    with pytest.raises(Superseded):
        driver.execute(settings, push("2", SHA), replace(context(1), state=outcome.state))
    at_rest(shop, f"acme/shop:3@{OTHER_SHA}")
    assert prober.least == REPLICAS


def test_an_autoscaler_is_refused(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.autoscaler()
    with pytest.raises(InvalidConfig, match="which a canary shares out itself"):
        driver.validate(canary(), sample_context())
    with pytest.raises(DriverError, match="Nothing was changed: The autoscaler shop"):
        driver.execute(canary(), push("2", SHA), context(1))
    at_rest_before = shop.get("Deployment")["metadata"].get("annotations", {})
    assert "webhook-service.io/canary-replicas" not in at_rest_before


def test_somebody_elses_image_meanwhile_is_kept(driver: DeploymentUpdate, shop: Shop) -> None:
    settings = canary(steps=[{"weight": 20, "pauseSeconds": 600}])
    first = driver.execute(settings, push("2", SHA), context(1))
    assert isinstance(first, Wait)
    containers = [{"name": "app", "image": "acme/shop:hotfix"}]
    shop.patch("Deployment", {"spec": {"template": {"spec": {"containers": containers}}}})
    with pytest.raises(DriverError, match="changed by somebody else") as caught:
        run_to_end(driver, settings, push("2", SHA), replace(context(1), state=first.state))
    assert "acme/shop:hotfix runs, which somebody else has set" in caught.value.message
    assert "rolled back to acme/shop:1" not in caught.value.message
    at_rest(shop, "acme/shop:hotfix")


@pytest.mark.parametrize(
    ("value", "good"), [("0.01", True), ("0.5", False), ("NaN", False), (None, False)]
)
def test_a_number_of_prometheus_decides(
    fake: FakeCluster, shop: Shop, tmp_path: Path, value: str | None, good: bool
) -> None:
    def serve(handler: Any) -> None:
        sample = [] if value is None else [{"metric": {}, "value": [1.0, value]}]
        body = {"status": "success", "data": {"resultType": "vector", "result": sample}}
        handler.reply(200, json.dumps(body).encode())

    path = fake.write_kubeconfig(tmp_path / "config")
    options = {"kubeconfig": str(path), "allow_private": [ip_network("127.0.0.1")]}
    driver = DeploymentUpdate(options)
    with faulty(serve) as (url, requests):
        limits = {"url": url, "query": 'rate(errors{app="shop"}[1m])', "max": 0.1}
        settings = canary(prometheus=limits)
        if good:
            assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
        else:
            with pytest.raises(DriverError, match="At 20 %: "):
                run_to_end(driver, settings, push("2", SHA), context(1))
    driver.close()
    at_rest(shop, NEW if good else "acme/shop:1")
    asked = unquote(requests[0].path)
    assert asked == '/api/v1/query?query=rate(errors{app="shop"}[1m])'


def test_a_private_prometheus_must_be_allowed(driver: DeploymentUpdate, shop: Shop) -> None:
    limits = {"url": "http://127.0.0.1:9", "query": "up", "min": 1}
    with pytest.raises(DriverError, match="rolled back"):
        run_to_end(driver, canary(prometheus=limits), push("2", SHA), context(1))
    at_rest(shop, "acme/shop:1")


@pytest.mark.parametrize(
    "strategy",
    [
        {"steps": []},
        {"steps": [{"weight": 50}, {"weight": 20}]},
        {"steps": [{"weight": 0}]},
        {"preview": "shop"},
        {"prometheus": {"url": "http://p", "query": "up"}},
        {"prometheus": {"url": "file:///etc/passwd", "query": "up", "min": 1}},
    ],
)
def test_what_makes_no_sense_is_refused(strategy: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        canary(**strategy)
