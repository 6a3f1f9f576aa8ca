from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client
from tests.drivers.faulty import Handler, faulty
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
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import (
    Context,
    Done,
    DriverError,
    InvalidConfig,
    Outcome,
    PushEvent,
    Retry,
    Superseded,
    Unchanged,
    Wait,
)
from webhook_service.testing import Ask, FakeCluster, Reply, sample_context

NEW = f"acme/shop:2@{SHA}"
COLOR = "webhook-service.io/color"


@pytest.fixture
def shop(fake: FakeCluster, tmp_path: Path) -> Iterator[Shop]:
    path = fake.write_kubeconfig(tmp_path / "shop")
    with Client(path) as client:
        shop = Shop(client, path)
        shop.start()
        yield shop


def until(
    driver: DeploymentUpdate,
    settings: DeploymentUpdateConfig,
    event: PushEvent,
    at: Context,
    **k: Any,
) -> tuple[Wait, Context]:
    """Run until only tidying up is left; the context goes on from there."""
    outcome: Outcome = driver.execute(settings, event, at)
    while isinstance(outcome, Wait) and not outcome.settled:
        at = replace(at, state=outcome.state)
        outcome = driver.execute(settings, event, at)
    assert isinstance(outcome, Wait), outcome
    return outcome, replace(at, state=outcome.state)


def test_a_push_is_switched_to_and_nothing_is_left_over(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    before = template_of(shop.get("Deployment"))
    with shop.prober() as prober:
        outcome = run_to_end(driver, blue_green(), push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    shop.assert_at_rest(NEW)
    assert prober.least == REPLICAS
    before["spec"]["containers"][0]["image"] = NEW
    assert template_of(shop.get("Deployment")) == before


def test_late_endpoints_cost_no_pod(clock: Clock, tmp_path: Path) -> None:
    """Nothing may go before the Service really sends to what comes instead."""
    with FakeCluster(ready_delay=0.02, routing_delay=0.3) as fake:
        path = fake.write_kubeconfig(tmp_path / "config")
        with Client(path) as client, closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
            shop = Shop(client, path)
            shop.start()
            for number in (2, 3):
                with shop.prober() as prober:
                    run_to_end(driver, blue_green(), push(str(number), SHA), context(number))
                shop.assert_at_rest(f"acme/shop:{number}@{SHA}")
                assert min(prober.served) == REPLICAS


def test_the_second_deployment_is_the_first_byte_for_byte(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = blue_green(keepSeconds=600)
    until(driver, settings, push("2", SHA), context(1))
    first, second = shop.get("Deployment"), shop.get("Deployment", "shop-green")
    wanted = template_of(first)
    wanted["spec"]["containers"][0]["image"] = NEW
    wanted["metadata"]["labels"][COLOR] = "green"
    assert template_of(second) == wanted
    assert second["spec"]["selector"]["matchLabels"] == LABELS | {COLOR: "green"}
    assert "team" not in second["metadata"]["labels"]
    rest = ("replicas", "strategy", "progressDeadlineSeconds", "revisionHistoryLimit")
    assert {key: second["spec"][key] for key in rest} == {key: first["spec"][key] for key in rest}


def test_the_old_pods_are_kept_for_their_time(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    settings = blue_green(keepSeconds=600)
    waiting, at = until(driver, settings, push("2", SHA), context(1))
    assert "shop is kept for" in waiting.message and waiting.settled
    assert shop.selector() == LABELS | {COLOR: "green"}
    assert shop.image() == "acme/shop:1"
    assert shop.get("Deployment")["status"]["availableReplicas"] == REPLICAS
    clock.ahead += 601
    assert isinstance(run_to_end(driver, settings, push("2", SHA), at), Done)
    shop.assert_at_rest(NEW)


def test_kept_at_zero_there_are_no_old_pods(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    settings = blue_green(keepSeconds=600, keep="zero")
    with shop.prober() as prober:
        _, at = until(driver, settings, push("2", SHA), context(1))
        while shop.get("Deployment")["spec"]["replicas"]:
            driver.execute(settings, push("2", SHA), at)
        clock.ahead += 601
        run_to_end(driver, settings, push("2", SHA), at)
    shop.assert_at_rest(NEW)
    assert prober.least == REPLICAS


@pytest.mark.parametrize("keep", ["scaled", "zero"])
def test_a_rollback_moves_straight_back_while_the_old_pods_are_kept(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster, keep: str
) -> None:
    settings = blue_green(keepSeconds=600, keep=keep)
    run_to_end(driver, blue_green(), push("1", OTHER_SHA), context(1))
    until(driver, settings, push("2", SHA), context(2))
    pods = {pod["metadata"]["name"] for pod in fake.list("Pod", "default")}
    back = context(3, identity="push-1", rolls_back="push-2")
    with shop.prober() as prober:
        outcome, at = until(driver, settings, push("1", OTHER_SHA), back)
        if keep == "scaled":
            now = {pod["metadata"]["name"] for pod in fake.list("Pod", "default")}
            assert now <= pods
        assert COLOR not in shop.selector()
        assert isinstance(run_to_end(driver, blue_green(), push("1", OTHER_SHA), at), Done)
    shop.assert_at_rest(f"acme/shop:1@{OTHER_SHA}")
    assert prober.least == REPLICAS
    replay = driver.execute(settings, push("2", SHA), context(4, identity="push-2"))
    assert isinstance(replay, Unchanged) and "rolled back" in replay.reason


def test_a_newer_push_while_the_old_pods_are_kept_goes_to_the_other_colour(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    settings = blue_green(keepSeconds=600)
    with shop.prober() as prober:
        until(driver, settings, push("2", SHA), context(1))
        _, at = until(driver, settings, push("3", OTHER_SHA), context(2))
        assert shop.image() == f"acme/shop:3@{OTHER_SHA}" and COLOR not in shop.selector()
        assert shop.image("shop-green") == NEW
        clock.ahead += 601
        assert isinstance(run_to_end(driver, settings, push("3", OTHER_SHA), at), Done)
    shop.assert_at_rest(f"acme/shop:3@{OTHER_SHA}")
    assert prober.least == REPLICAS


def test_a_newer_push_takes_over_what_an_older_one_prepares(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = blue_green()
    first = driver.execute(settings, push("bad"), context(1))
    assert isinstance(first, Wait)
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(2)), Done)
    with pytest.raises(Superseded):
        driver.execute(settings, push("bad"), replace(context(1), state=first.state))
    shop.assert_at_rest(NEW)


def test_a_bad_image_never_gets_traffic_and_leaves_nothing(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    before = template_of(shop.get("Deployment"))
    with shop.prober() as prober, pytest.raises(DriverError, match="rolled back") as caught:
        run_to_end(driver, blue_green(), push("bad"), context(1), lambda w: _hurry(clock, w))
    assert caught.value.reason == "rolled_back"
    shop.assert_at_rest("acme/shop:1")
    assert template_of(shop.get("Deployment")) == before
    assert set(prober.counts) == {REPLICAS}
    replay = driver.execute(blue_green(), push("bad"), context(2, identity="push-1"))
    assert isinstance(replay, Unchanged)


def _hurry(clock: Clock, waiting: Wait) -> None:
    if "new pods are" in waiting.message and not waiting.message.startswith("rolling back"):
        clock.ahead += 21


def test_a_bad_image_on_the_way_to_the_first_colour_leaves_nothing(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    until(driver, blue_green(keepSeconds=600), push("2", SHA), context(1))
    with shop.prober() as prober, pytest.raises(DriverError, match="rolled back"):
        run_to_end(driver, blue_green(), push("bad"), context(2), lambda w: _hurry(clock, w))
    shop.assert_at_rest(NEW)
    assert prober.least == REPLICAS


def test_the_same_tag_pushed_again_is_switched_to_once(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = blue_green()
    for number in (1, 2):
        assert isinstance(run_to_end(driver, settings, push("1"), context(number)), Done)
    shop.assert_at_rest("acme/shop:1")
    annotations = template_of(shop.get("Deployment"))["metadata"]["annotations"]
    assert annotations["webhook-service.io/push"] == "push-2"
    again = context(3, identity="push-2")
    assert isinstance(driver.execute(settings, push("1"), again), Unchanged)


def test_a_copy_of_the_push_tidies_up_what_it_finds(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    settings = blue_green(keepSeconds=600)
    until(driver, settings, push("2", SHA), context(1))
    clock.ahead += 601
    copy = context(2, identity="push-1")
    assert isinstance(run_to_end(driver, settings, push("2", SHA), copy), Unchanged)
    shop.assert_at_rest(NEW)


def test_the_autoscaler_follows_the_traffic_and_comes_back(
    driver: DeploymentUpdate, shop: Shop, clock: Clock
) -> None:
    shop.autoscaler()
    settings = blue_green(keepSeconds=600)
    _, at = until(driver, settings, push("2", SHA), context(1))
    assert shop.target() == "shop-green"
    clock.ahead += 601
    run_to_end(driver, settings, push("2", SHA), at)
    assert shop.target() == "shop"
    shop.assert_at_rest(NEW)


def test_an_autoscaler_of_another_controller_is_refused(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "shop"}
    shop.autoscaler(ownerReferences=[owner | {"uid": "1", "controller": True}])
    with pytest.raises(InvalidConfig, match="belongs to ScaledObject shop"):
        driver.validate(blue_green(), sample_context())
    with pytest.raises(DriverError, match="Nothing was changed: The autoscaler shop"):
        driver.execute(blue_green(), push("2", SHA), context(1))
    shop.assert_at_rest("acme/shop:1")


def test_the_preview_shows_the_new_pods_before_the_switch(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    shop.service("shop-preview")
    asked: list[str] = []

    def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
        asked.append(pod["spec"]["containers"][0]["image"])
        assert COLOR not in shop.selector()
        return Reply(204)

    fake.answer("default", "shop-preview", answer)
    check = {"path": "/health", "expectStatus": 204, "count": 3, "intervalSeconds": 0}
    settings = blue_green(preview="shop-preview", check=check)
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
    assert asked == [NEW, NEW, NEW]
    shop.assert_at_rest(NEW)
    assert shop.selector("shop-preview") == LABELS


def test_a_failed_check_never_switches(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    shop.service("shop-preview")
    fake.answer("default", "shop-preview", lambda ask, pod: Reply(500))
    settings = blue_green(preview="shop-preview", check={"path": "/health"})
    with shop.prober() as prober, pytest.raises(DriverError, match="answered 500 instead of 200"):
        run_to_end(driver, settings, push("2", SHA), context(1))
    shop.assert_at_rest("acme/shop:1")
    assert shop.selector("shop-preview") == LABELS
    assert set(prober.counts) == {REPLICAS}


def test_a_rollback_asks_no_check(driver: DeploymentUpdate, shop: Shop, fake: FakeCluster) -> None:
    shop.service("shop-preview")
    settings = blue_green(preview="shop-preview", check={"path": "/health"})
    fake.answer("default", "shop-preview", lambda ask, pod: Reply(200))
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
    fake.answer("default", "shop-preview", lambda ask, pod: Reply(503))
    back = context(2, rolls_back="push-1")
    assert isinstance(run_to_end(driver, settings, push("1", OTHER_SHA), back), Done)
    shop.assert_at_rest(f"acme/shop:1@{OTHER_SHA}")


@pytest.mark.parametrize(("status", "good"), [(200, True), (302, False)])
def test_a_check_may_ask_an_address_of_its_own(
    shop: Shop, fake: FakeCluster, tmp_path: Path, status: int, good: bool
) -> None:
    path = fake.write_kubeconfig(tmp_path / "config")
    options = {"kubeconfig": str(path), "allow_private": [ip_network("127.0.0.1")]}
    serve = partial(Handler.reply, status=status, body=b"", Location="/elsewhere")
    with faulty(lambda handler: serve(handler)) as (url, requests):
        settings = blue_green(check={"url": f"{url}/ready", "count": 2, "intervalSeconds": 0})
        with closing(DeploymentUpdate(options)) as driver:
            if good:
                assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
            else:
                with pytest.raises(DriverError, match="answered 302 instead of 200"):
                    run_to_end(driver, settings, push("2", SHA), context(1))
    assert [request.path for request in requests] == ["/ready"] * (2 if good else 1)
    shop.assert_at_rest(NEW if good else "acme/shop:1")


def test_a_quota_without_room_is_one_clear_sentence(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    spec = {"hard": {"pods": "4"}}
    fake.apply({"kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": spec})
    with shop.prober() as prober, pytest.raises(DriverError) as caught:
        run_to_end(driver, blue_green(), push("2", SHA), context(1))
    assert "There is no room for a second set of pods" in caught.value.message
    assert "exceeded quota: small" in caught.value.message
    shop.assert_at_rest("acme/shop:1")
    assert prober.least == REPLICAS


def test_a_refusal_by_admission_leaves_nothing(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    fake.deny("create", "deployments", message="admission webhook denied the request: no")
    with pytest.raises(DriverError, match="admission webhook denied the request"):
        run_to_end(driver, blue_green(), push("2", SHA), context(1))
    shop.assert_at_rest("acme/shop:1")


def test_somebody_elses_image_meanwhile_is_kept(driver: DeploymentUpdate, shop: Shop) -> None:
    never_ready = push("bad", SHA)  # so that no step switches before the change
    first = driver.execute(blue_green(), never_ready, context(1))
    assert isinstance(first, Wait)
    containers = [{"name": "app", "image": "acme/shop:hotfix"}]
    shop.patch("Deployment", {"spec": {"template": {"spec": {"containers": containers}}}})
    with pytest.raises(DriverError, match="changed by somebody else"):
        run_to_end(driver, blue_green(), never_ready, replace(context(1), state=first.state))
    assert shop.image() == "acme/shop:hotfix"
    assert shop.selector() == LABELS and shop.find("Deployment", "shop-green") is None


def test_a_deployment_of_this_name_that_is_not_ours_is_left_alone(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster
) -> None:
    body = shop.get("Deployment")
    for field in ("uid", "resourceVersion", "creationTimestamp", "generation"):
        del body["metadata"][field]
    body["metadata"]["name"] = "shop-green"
    fake.apply(body)
    with pytest.raises(DriverError, match="exists already and is not of webhook-service"):
        driver.execute(blue_green(), push("2", SHA), context(1))
    assert shop.selector() == LABELS and shop.find("Deployment", "shop-green")


def test_the_push_of_another_image_of_the_pod_waits(driver: DeploymentUpdate, shop: Shop) -> None:
    until(driver, blue_green(keepSeconds=600), push("2", SHA), context(1))
    other = push("2", OTHER_SHA, repository="acme/migrate")
    with pytest.raises(Retry, match="in use by a push of docker.io/acme/shop"):
        driver.execute(blue_green(), other, context(2))


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ({"service": "none"}, 'services "none" in namespace default was not found'),
        ({"preview": "none"}, 'services "none" in namespace default was not found'),
        ({"service": "other"}, "does not send to the pods of Deployment default/shop"),
    ],
)
def test_a_service_that_cannot_be_used_is_refused(
    driver: DeploymentUpdate, shop: Shop, fake: FakeCluster, strategy: dict[str, str], says: str
) -> None:
    spec = {"selector": {"app": "other"}, "ports": [{"port": 80}]}
    fake.apply({"kind": "Service", "metadata": {"name": "other"}, "spec": spec})
    with pytest.raises(InvalidConfig, match=says):
        driver.validate(blue_green(**strategy), sample_context())
    with pytest.raises(DriverError, match=says):
        driver.execute(blue_green(**strategy), push("2", SHA), context(1))
    shop.assert_at_rest("acme/shop:1")


def test_a_plan_changes_nothing(driver: DeploymentUpdate, shop: Shop) -> None:
    plan = driver.plan(blue_green(), push("2", SHA), context(1))
    assert [change.after for change in plan.changes] == [NEW] and not plan.notes
    shop.assert_at_rest("acme/shop:1")
