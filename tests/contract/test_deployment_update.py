"""The driver deploymentUpdate with the rights of its shipped Role."""

import pytest

from tests.contract.manifests import resource
from tests.contract.shop import PLURALS, Shop
from tests.drivers.steps import (
    OTHER_SHA,
    SHA,
    config,
    context,
    image_change,
    push,
    run_to_end,
    template_of,
)
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.push_record import CHANGE_CAUSE, PUSH
from webhook_service import (
    Done,
    DriverError,
    InvalidConfig,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.testing import sample_context


@pytest.mark.parametrize("kind", PLURALS)
def test_a_push_is_rolled_out_to_its_end(driver: DeploymentUpdate, shop: Shop, kind: str) -> None:
    before = shop.create(kind)
    settings = config(shop.namespace, kind=kind)
    driver.validate(settings, sample_context())
    outcome = run_to_end(driver, settings, push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert outcome.changes == (
        image_change("acme/shop:1", f"acme/shop:2@{SHA}", kind, shop.namespace),
    )
    after = shop.get(kind)
    wanted = template_of(before)
    wanted["spec"]["containers"][0]["image"] = f"acme/shop:2@{SHA}"
    assert template_of(after) == wanted
    driver.close()  # which writes the last Events
    assert shop.reasons() == {"ImageUpdated", "RolloutComplete"}
    assert after["metadata"]["annotations"][CHANGE_CAUSE].startswith("docker.io/acme/shop:2@sha256")


def test_a_duplicate_is_unchanged(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    settings = config(shop.namespace)
    run_to_end(driver, settings, push("2"), context(1))
    generation = shop.get()["metadata"]["generation"]
    copy = context(2, identity="push-1")
    assert isinstance(driver.execute(settings, push("2"), copy), Unchanged)
    assert shop.get()["metadata"]["generation"] == generation


def test_the_same_tag_pushed_again_rolls_once(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create(image="acme/shop:latest")
    settings = config(shop.namespace)
    for number in (1, 2):
        outcome = run_to_end(driver, settings, push("latest"), context(number))
        assert isinstance(outcome, Done)
        again = context(number, execution="exe_other")
        assert isinstance(driver.execute(settings, push("latest"), again), Unchanged)
    found = shop.get()
    assert found["metadata"]["generation"] == 3
    assert template_of(found)["metadata"]["annotations"] == {PUSH: "push-2"}


def test_an_older_push_is_superseded(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    settings = config(shop.namespace)
    run_to_end(driver, settings, push("2", SHA), context(2))
    with pytest.raises(Superseded, match="dlv_2"):
        driver.execute(settings, push("1", OTHER_SHA), context(1))
    assert shop.images()["app"] == f"acme/shop:2@{SHA}"


def test_a_bad_tag_is_rolled_back_and_held(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    run_to_end(driver, config(shop.namespace), push("2"), context(1))
    good = template_of(shop.get())
    settings = config(shop.namespace, rollbackOnFailure=True, timeoutSeconds=2)
    with pytest.raises(DriverError, match="rolled back to acme/shop:2") as caught:
        run_to_end(driver, settings, push("bad"), context(2))
    assert caught.value.reason == "rolled_back"
    assert template_of(shop.get()) == good
    replay = driver.execute(settings, push("bad"), context(3, identity="push-2"))
    assert isinstance(replay, Unchanged)
    sets = shop.client.ok("GET", resource("apps/v1", "replicasets", shop.namespace))["items"]
    assert sorted(item["spec"]["replicas"] for item in sets) == [0, 0, 2]
    driver.close()
    assert {"RolloutFailed", "RolledBack"} <= shop.reasons()


def test_the_deployments_own_deadline_is_seen_and_forgotten(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    shop.tune(progressDeadlineSeconds=1)
    settings = config(shop.namespace, timeoutSeconds=30)
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, push("bad"), context(1))
    assert caught.value.reason == "rollout_failed"
    # Pods may start slowly now, but the controller keeps the failed condition for a while.
    shop.tune(progressDeadlineSeconds=30)
    outcome = run_to_end(driver, settings, push("1"), context(2))
    assert isinstance(outcome, Done)


def test_a_crash_at_any_point_is_survived(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    settings = config(shop.namespace, rollbackOnFailure=True, timeoutSeconds=1)
    assert isinstance(driver.execute(settings, push("bad"), context(1)), Wait)
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, push("bad"), context(1))
    assert caught.value.reason == "rolled_back"
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, push("bad"), context(1))
    assert caught.value.reason == "rolled_back"
    assert shop.images()["app"] == "acme/shop:1"
    assert shop.get()["metadata"]["generation"] == 3


def test_another_repository_is_never_overwritten(driver: DeploymentUpdate, shop: Shop) -> None:
    before = template_of(shop.create())
    settings = config(shop.namespace)
    with pytest.raises(TargetConflict, match="nothing was changed"):
        driver.execute(settings, push("2", repository="evil/shop"), context(1))
    assert template_of(shop.get()) == before


def test_a_missing_deployment_is_a_clear_failure(driver: DeploymentUpdate, shop: Shop) -> None:
    says = f'deployments.apps "shop" in namespace {shop.namespace} was not found: create it'
    with pytest.raises(DriverError, match=says):
        driver.execute(config(shop.namespace), push("2"), context(1))
    with pytest.raises(InvalidConfig, match=says):
        driver.validate(config(shop.namespace), sample_context())


def test_missing_rights_are_a_clear_failure(powerless: DeploymentUpdate, namespace: str) -> None:
    settings = config(namespace)
    with pytest.raises(DriverError, match="Not allowed to get.*bind the Role that"):
        powerless.execute(settings, push("2"), context(1))
    with pytest.raises(InvalidConfig, match="Not allowed to get and patch deployments.apps"):
        powerless.validate(settings, sample_context())


def test_a_plan_is_checked_by_the_cluster_and_changes_nothing(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    before = shop.get()["metadata"]["generation"]
    plan = driver.plan(config(shop.namespace), push("2", SHA), sample_context())
    assert [change.after for change in plan.changes] == [f"acme/shop:2@{SHA}"]
    assert plan.notes == ()
    assert shop.get()["metadata"]["generation"] == before
    assert shop.images()["app"] == "acme/shop:1"
