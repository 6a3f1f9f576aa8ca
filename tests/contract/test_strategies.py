"""What each strategy promises, at every change of the pods."""

from typing import Any

import pytest

from tests.contract.client import JSON_PATCH, MERGE, Client, eventually
from tests.contract.manifests import resource
from tests.contract.prober import Moment, Prober
from tests.contract.shop import Shop
from tests.drivers.steps import SHA, config, context, images_of, push, run_to_end, template_of
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.images.push_record import CHANGE_CAUSE
from webhook_drivers.kubernetes.images.unfinished_mark import DRAINED
from webhook_drivers.kubernetes.strategies.recreate import STRATEGY
from webhook_service import (
    Done,
    DriverError,
    InvalidConfig,
    Outcome,
    Superseded,
    Unchanged,
)
from webhook_service.testing import sample_context

OLD, NEW = "acme/shop:1", "acme/shop:2"
RECREATE = {"type": "recreate"}


def roll(driver: DeploymentUpdate, settings: DeploymentUpdateConfig, tag: str, n: int) -> Outcome:
    return run_to_end(driver, settings, push(tag), context(n))


def failed(driver: DeploymentUpdate, shop: Shop, n: int = 1, **more: Any) -> DriverError:
    values = {"rollbackOnFailure": True, "timeoutSeconds": 2} | more
    with pytest.raises(DriverError) as caught:
        roll(driver, config(shop.namespace, **values), "bad", n)
    return caught.value


def versions(moments: list[Moment]) -> set[frozenset[str]]:
    return {moment.versions for moment in moments}


@pytest.mark.parametrize(
    ("surge", "unavailable", "fewest", "most"), [(1, 0, 4, 5), (0, 1, 3, 4), ("50%", "25%", 3, 6)]
)
def test_rolling_keeps_to_its_limits_at_every_moment(
    driver: DeploymentUpdate,
    client: Client,
    shop: Shop,
    surge: int | str,
    unavailable: int | str,
    fewest: int,
    most: int,
) -> None:
    shop.create(replicas=4)
    prober = Prober(client, shop.namespace)
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    assert isinstance(roll(driver, config(shop.namespace, strategy=limits), "2", 1), Done)
    moments = prober.moments()
    assert min(moment.ready for moment in moments) >= fewest
    assert max(moment.pods for moment in moments) <= most + 4  # and those that are just ending
    assert moments[0].versions == {OLD} and moments[-1].versions == {NEW}
    assert moments[-1].ready == 4


def test_a_failed_rolling_update_costs_no_more_than_its_limits(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    shop.create(replicas=4)
    prober = Prober(client, shop.namespace)
    error = failed(driver, shop, strategy={"maxSurge": 1, "maxUnavailable": 1})
    assert error.reason == "rolled_back"
    assert min(moment.ready for moment in prober.moments()) >= 3


def test_seconds_of_readiness_are_waited_for(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    strategy = {"minReadySeconds": 1, "maxSurge": 1, "maxUnavailable": 0}
    assert isinstance(roll(driver, config(shop.namespace, strategy=strategy), "2", 1), Done)
    found = shop.get()
    assert found["spec"]["minReadySeconds"] == 1
    assert found["status"]["availableReplicas"] == 2


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_recreate_never_runs_both_versions(
    driver: DeploymentUpdate, client: Client, shop: Shop, kind: str
) -> None:
    before = shop.create(kind)
    prober = Prober(client, shop.namespace)
    settings = config(shop.namespace, kind=kind, strategy=RECREATE)
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
    moments = prober.moments()
    new = f"{NEW}@{SHA}"
    assert versions(moments) == {frozenset({OLD}), frozenset(), frozenset({new})}
    after = shop.get(kind)
    assert after["spec"]["replicas"] == 2 and moments[-1].ready == 2
    wanted = template_of(before)
    wanted["spec"]["containers"][0]["image"] = new
    assert template_of(after) == wanted
    assert DRAINED not in after["metadata"]["annotations"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_failed_recreate_goes_back_without_mixing_versions(
    driver: DeploymentUpdate, client: Client, shop: Shop, kind: str
) -> None:
    before = shop.create(kind)
    prober = Prober(client, shop.namespace)
    assert failed(driver, shop, kind=kind, strategy=RECREATE).reason == "rolled_back"
    found = versions(prober.moments())
    assert found == {frozenset({OLD}), frozenset(), frozenset({"acme/shop:bad"})}
    after = shop.get(kind)
    assert template_of(after) == template_of(before) and after["spec"]["replicas"] == 2
    replay = context(2, identity="push-1")
    settings = config(shop.namespace, kind=kind, strategy=RECREATE)
    assert isinstance(driver.execute(settings, push("bad"), replay), Unchanged)


def test_the_own_strategy_comes_back_when_it_is_asked_for(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    shop.create(strategy=own)
    settings = config(shop.namespace, strategy=RECREATE | {"restoreStrategy": True})
    for number, tag in enumerate(("2", "3"), 1):
        assert isinstance(roll(driver, settings, tag, number), Done)
        found = shop.get()
        assert found["spec"]["strategy"] == own
        assert STRATEGY not in found["metadata"]["annotations"]
    roll(driver, config(shop.namespace, strategy=RECREATE), "4", 4)
    assert shop.get()["spec"]["strategy"] == {"type": "Recreate"}


def test_a_strategy_that_was_left_by_a_change_of_the_receiver_comes_back_with_the_next_push(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    own = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    shop.create(strategy=own)
    restoring = config(shop.namespace, strategy=RECREATE | {"restoreStrategy": True})
    driver.execute(restoring, push("2"), context(1))
    assert isinstance(roll(driver, config(shop.namespace), "3", 2), Done)
    assert shop.get()["spec"]["strategy"] == {"type": "Recreate"}
    assert isinstance(roll(driver, restoring, "4", 3), Done)
    found = shop.get()
    assert found["spec"]["strategy"] == own
    assert STRATEGY not in found["metadata"]["annotations"]


def test_a_strategy_that_people_set_meanwhile_is_not_overwritten(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    shop.create()
    settings = config(shop.namespace, strategy=RECREATE | {"restoreStrategy": True})
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 7, "maxUnavailable": 1}}
    driver.execute(settings, push("2"), context(1))
    client.ok("PATCH", shop.path(), {"spec": {"strategy": theirs}}, MERGE)
    assert isinstance(roll(driver, settings, "2", 1), Done)
    found = shop.get()
    assert found["spec"]["strategy"] == theirs
    assert STRATEGY not in found["metadata"]["annotations"]


def test_a_stateful_set_that_is_stuck_on_a_broken_pod_is_rolled_back(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    before = shop.create("StatefulSet", replicas=3)
    assert failed(driver, shop, kind="StatefulSet").reason == "rolled_back"
    after = shop.get("StatefulSet")
    assert template_of(after) == template_of(before)
    assert after["status"]["readyReplicas"] == 3


def test_a_stateful_set_with_a_partition_is_not_recreated(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    shop.create("StatefulSet", updateStrategy=update)
    settings = config(shop.namespace, kind="StatefulSet", strategy=RECREATE)
    with pytest.raises(DriverError, match="has a partition, so some pods would keep"):
        driver.execute(settings, push("2"), context(1))
    with pytest.raises(InvalidConfig, match="has a partition"):
        driver.validate(settings, sample_context())
    assert shop.get("StatefulSet")["spec"]["replicas"] == 2


def test_the_history_of_rollouts_reads_well(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create()
    roll(driver, config(shop.namespace), "2", 1)
    roll(driver, config(shop.namespace), "3", 2)
    assert failed(driver, shop, 3, strategy=RECREATE).reason == "rolled_back"
    back = context(4, identity="push-1", rolls_back="push-2")
    assert isinstance(run_to_end(driver, config(shop.namespace), push("2"), back), Done)
    sets = shop.client.ok("GET", resource("apps/v1", "replicasets", shop.namespace))["items"]
    causes = {images_of(item)["app"]: item["metadata"]["annotations"] for item in sets}
    by = "by webhook-service, delivery"
    assert len(sets) == 4
    assert causes[NEW][CHANGE_CAUSE] == f"rolled back to docker.io/acme/shop:2 {by} dlv_4"
    assert causes["acme/shop:3"][CHANGE_CAUSE].startswith(
        f"rolled back from docker.io/acme/shop:bad {by} dlv_3: The rollout of"
    )
    assert causes["acme/shop:bad"][CHANGE_CAUSE] == f"docker.io/acme/shop:bad {by} dlv_3"
    held = driver.execute(config(shop.namespace), push("3"), context(5, identity="push-2"))
    assert isinstance(held, Unchanged) and "rolled back" in held.reason


def test_many_workloads_are_chosen_by_labels(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    body = shop.create()
    for name in ("blog", "wiki"):
        copy = {"metadata": {"name": name, "labels": {"tier": "web"}}, "spec": body["spec"]}
        client.ok("POST", shop.path(name=""), copy)
    settings = config(shop.namespace, name=None, selector={"tier": "web"})
    driver.validate(settings, sample_context())
    outcome = run_to_end(driver, settings, push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert {change.target for change in outcome.changes} == {
        f"Deployment {shop.namespace}/{name}" for name in ("blog", "wiki")
    }
    assert shop.images()["app"] == OLD
    for name in ("blog", "wiki"):
        assert images_of(client.ok("GET", shop.path(name=name)))["app"] == f"{NEW}@{SHA}"


def test_what_kubectl_has_undone_is_not_brought_back(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    shop.create()
    settings = config(shop.namespace)
    roll(driver, settings, "2", 1)
    roll(driver, settings, "3", 3)
    undo(client, shop, NEW)
    eventually(lambda: shop.settled("Deployment"))
    replay = driver.execute(settings, push("3"), context(4, identity="push-3"))
    assert isinstance(replay, Unchanged) and "was rolled back" in replay.reason
    with pytest.raises(Superseded, match="dlv_3"):
        driver.execute(settings, push("1.5"), context(2))
    assert shop.images()["app"] == NEW
    assert isinstance(roll(driver, settings, "5", 5), Done)
    replay = driver.execute(settings, push("3"), context(6, identity="push-3"))
    assert isinstance(replay, Unchanged) and "was rolled back" in replay.reason
    assert isinstance(roll(driver, settings, "2", 7), Done)


def undo(client: Client, shop: Shop, image: str) -> None:
    """As `kubectl rollout undo` does: the template and the annotations of an older ReplicaSet.

    https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollback.go
    """
    sets = client.ok("GET", resource("apps/v1", "replicasets", shop.namespace))["items"]
    (old,) = (item for item in sets if images_of(item)["app"] == image)
    template = old["spec"]["template"]
    del template["metadata"]["labels"]["pod-template-hash"]
    kept = {
        key: value
        for key, value in old["metadata"]["annotations"].items()
        if not key.startswith("deployment.kubernetes.io/")
    }
    patch = [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": kept},
    ]
    client.ok("PATCH", shop.path(), patch, JSON_PATCH)
