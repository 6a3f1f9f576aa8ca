"""serviceUpgrade: all workloads of a selector, in batches, as v1.6's config says it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.kills import WAYS, killed
from tests.drivers.steps import SHA, Clock, context, images_of, push, run_to_end, workload
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade, ServiceUpgradeConfig
from webhook_service import Change, Done, DriverError, InvalidConfig, TargetConflict, Unchanged
from webhook_service.testing import FakeCluster

PUSH = push("1.2.3", SHA)
NEW = f"acme/shop:1.2.3@{SHA}"


def config(**more: Any) -> ServiceUpgradeConfig:
    values = {"serviceSelector": {"Tier": "WEB"}, "tag": "1.2.3", "intervalMillis": 1}
    return ServiceUpgradeConfig.model_validate({**values, "timeoutSeconds": 20} | more)


def labelled(name: str, kind: str = "Deployment", on_pods: bool = False, **more: Any) -> Any:
    obj = workload(kind, **more)
    obj["metadata"] |= {"name": name, "namespace": "1a5"}
    labels = {"app": name}
    obj["spec"]["selector"] = {"matchLabels": labels}
    wanted = {"tier": "web"}
    obj["spec"]["template"]["metadata"]["labels"] = labels | (wanted if on_pods else {})
    obj["metadata"]["labels"] = {} if on_pods else wanted
    return obj


def by(number: int, **more: Any) -> Any:
    return context(number, project="1a5", **more)


@pytest.fixture
def driver(fake: FakeCluster, clock: Clock, tmp_path: Path) -> Iterator[ServiceUpgrade]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(ServiceUpgrade({"kubeconfig": str(path)}, now=clock)) as driver:
        yield driver


def image(fake: FakeCluster, name: str, kind: str = "Deployment") -> str:
    return images_of(fake.get(kind, "1a5", name))["app"]


def test_all_workloads_of_the_selector_are_upgraded_and_no_other(
    driver: ServiceUpgrade, fake: FakeCluster
) -> None:
    fake.apply(labelled("web"))
    fake.apply(labelled("pods", on_pods=True))
    fake.apply(labelled("db", "StatefulSet"))
    fake.apply(labelled("agent", "DaemonSet"))
    fake.apply(labelled("tools", image="acme/tools:1"))
    other = labelled("other")
    other["metadata"]["labels"] = {"tier": "back"}
    fake.apply(other)
    outcome = run_to_end(driver, config(), PUSH, by(1))
    assert isinstance(outcome, Done)
    assert outcome.message == "4 of 4 workloads of namespace 1a5 with Tier=WEB were updated."
    field = "containers[app].image"
    assert Change("StatefulSet 1a5/db", field, "acme/shop:1", NEW) in outcome.changes
    assert [image(fake, name) for name in ("web", "pods")] == [NEW, NEW]
    assert [image(fake, "db", "StatefulSet"), image(fake, "agent", "DaemonSet")] == [NEW, NEW]
    assert [image(fake, name) for name in ("tools", "other")] == ["acme/tools:1", "acme/shop:1"]


@pytest.mark.parametrize(
    ("start_first", "limits"),
    [
        (False, {"maxSurge": 0, "maxUnavailable": 3}),
        (True, {"maxSurge": 3, "maxUnavailable": 0}),
    ],
)
def test_batches_are_the_limits_of_the_rolling_update(
    driver: ServiceUpgrade, fake: FakeCluster, start_first: bool, limits: dict[str, int]
) -> None:
    fake.apply(labelled("web"))
    driver.execute(config(batchSize=3, intervalMillis=7, startFirst=start_first), PUSH, by(1))
    spec = fake.get("Deployment", "1a5", "web")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": limits}
    assert spec["minReadySeconds"] == 7


def test_no_workload_that_runs_the_repository_is_a_conflict(
    driver: ServiceUpgrade, fake: FakeCluster
) -> None:
    fake.apply(labelled("tools", image="acme/tools:1"))
    with pytest.raises(TargetConflict, match="runs the pushed repository"):
        driver.execute(config(), PUSH, by(1))


def test_the_same_push_upgrades_once(driver: ServiceUpgrade, fake: FakeCluster) -> None:
    fake.apply(labelled("web"))
    run_to_end(driver, config(), PUSH, by(1))
    assert isinstance(run_to_end(driver, config(), PUSH, by(2, identity="push-1")), Unchanged)
    assert fake.get("Deployment", "1a5", "web")["metadata"]["generation"] == 2


def test_a_failed_upgrade_goes_back_where_it_is_wished(
    driver: ServiceUpgrade, fake: FakeCluster
) -> None:
    fake.apply(labelled("web", progressDeadlineSeconds=2))
    settings = config(tag="bad", rollbackOnFailure=True, startFirst=True)
    with pytest.raises(DriverError, match="was rolled back to acme/shop:1"):
        run_to_end(driver, settings, push("bad"), by(1))
    assert image(fake, "web") == "acme/shop:1"


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("at", [1, 3, 4, 5, 6, 7, 8])
def test_an_upgrade_that_dies_at_any_place_happens_once(
    fake: FakeCluster, tmp_path: Path, at: int, after: bool
) -> None:
    fake.apply(labelled("web"))
    fake.apply(labelled("db", "StatefulSet"))
    with killed(fake, tmp_path, ServiceUpgrade, at, after) as kill:
        outcome = kill.run(config(), PUSH, by(1))
    assert isinstance(outcome, Done) and len(outcome.changes) == 2
    assert fake.get("Deployment", "1a5", "web")["metadata"]["generation"] == 2
    assert fake.get("StatefulSet", "1a5", "db")["metadata"]["generation"] == 2


def test_a_selector_that_means_nothing_is_refused_at_creation(
    driver: ServiceUpgrade, fake: FakeCluster
) -> None:
    with pytest.raises(InvalidConfig, match="There are no workloads of namespace 1a5 with"):
        driver.validate(config(), by(1))
    fake.apply(labelled("web"))
    driver.validate(config(), by(1))
    driver.validate(config(serviceSelector={"TIER": ""}), by(1))
    fake.deny("list", "daemonsets")
    with pytest.raises(InvalidConfig, match=r"Not allowed to list daemonsets\.apps"):
        driver.validate(config(), by(1))


def test_the_plan_says_what_would_change(driver: ServiceUpgrade, fake: FakeCluster) -> None:
    fake.apply(labelled("web"))
    assert driver.plan(config(), PUSH, by(1)).changes[0].after == NEW
    assert driver.running(config(), PUSH, by(1)) == ("1",)
    assert image(fake, "web") == "acme/shop:1"


def test_the_config_implies_the_tag_and_the_format() -> None:
    tags = {"tags": {"policy": "exact", "value": "1.2.3"}}
    assert config().implied() == {"match": tags}
    said = config(payloadFormat="alicloud", addressType="registry-vpc").implied()
    source = {"format": "alicloud", "addressType": "registry-vpc"}
    assert said == {"match": tags, "source": source}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serviceSelector": None}, "Service selectors not provided"),
        ({"tag": None}, "Tag not provided"),
        ({"tag": ".x"}, "Invalid tag .x, tag length must be < 128"),
        ({"tag": "x" * 129}, "tag length must be < 128"),
        ({"tag": "a\n"}, "Invalid tag a"),
        ({"batchSize": 0}, "Batch size for upgrade not provided/invalid"),
        ({"intervalMillis": 0}, "Batch interval for upgrade not provided/invalid"),
        ({"payloadFormat": "whatever"}, "Input should be 'dockerhub', 'alicloud' or 'azure'"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**change)
    assert message in str(caught.value)
