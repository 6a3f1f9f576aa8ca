"""scaleService: one call scales once, two calls twice, within limits, whatever dies meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.kills import WAYS, killed
from tests.drivers.steps import wait_until_settled, workload
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService, ScaleServiceConfig
from webhook_drivers.kubernetes.drivers.scaling import MAX_SCALINGS, SCALINGS
from webhook_service import Change, Context, Done, DriverError, InvalidConfig, Request
from webhook_service.testing import FakeCluster, sample_context

CALL = Request(body=b"")


def config(**more: Any) -> ScaleServiceConfig:
    values = {"serviceId": "default/shop", "amount": 1, "action": "up", "min": 1, "max": 4}
    return ScaleServiceConfig.model_validate(values | more)


def call(number: int) -> Context:
    return sample_context(execution=f"exe_{number}", project="1a5")


@pytest.fixture
def driver(fake: FakeCluster, tmp_path: Path) -> Iterator[ScaleService]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(ScaleService({"kubeconfig": str(path)})) as driver:
        yield driver


def replicas(fake: FakeCluster, kind: str = "Deployment") -> int:
    found: int = fake.get(kind, "default", "shop")["spec"]["replicas"]
    return found


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_call_scales_the_workload(driver: ScaleService, fake: FakeCluster, kind: str) -> None:
    before = fake.apply(workload(kind))
    outcome = driver.execute(config(serviceId=f"default/{kind}/shop"), CALL, call(1))
    change = Change(f"{kind} default/shop", "spec.replicas", "2", "3")
    assert outcome == Done((change,), f"{kind} default/shop was scaled from 2 to 3.")
    after = fake.get(kind, "default", "shop")
    assert after["spec"] == before["spec"] | {"replicas": 3}


def test_two_calls_scale_twice_and_a_repeated_one_once(
    driver: ScaleService, fake: FakeCluster
) -> None:
    fake.apply(workload())
    first = driver.execute(config(), CALL, call(1))
    driver.execute(config(), CALL, call(2))
    assert driver.execute(config(), CALL, call(1)) == first
    assert replicas(fake) == 4


def test_at_its_limits_a_call_fails_in_v1_6s_words_and_changes_nothing(
    driver: ScaleService, fake: FakeCluster
) -> None:
    before = fake.apply(workload())
    with pytest.raises(DriverError, match="^Cannot scale above provided max scale value: ") as up:
        driver.execute(config(amount=3), CALL, call(1))
    with pytest.raises(DriverError, match="^Cannot scale below provided min scale value: "):
        driver.execute(config(action="down", amount=2), CALL, call(2))
    assert up.value.reason == "scale_limit"
    assert fake.get("Deployment", "default", "shop")["metadata"]["annotations"] == before[
        "metadata"
    ].get("annotations", {"deployment.kubernetes.io/revision": "1"})


def test_calls_at_the_same_time_all_count(driver: ScaleService, fake: FakeCluster) -> None:
    fake.apply(workload(replicas=0))
    settings = config(max=100)

    def scale(number: int) -> None:
        while True:
            try:
                driver.execute(settings, CALL, call(number))
                return
            except DriverError as error:
                assert "changed by others" in error.message

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(scale, range(20)))
    assert replicas(fake) == 20


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_call_that_dies_at_any_place_scales_exactly_once(
    fake: FakeCluster, tmp_path: Path, at: int, after: bool
) -> None:
    fake.apply(workload())
    wait_until_settled(fake, "Deployment", "shop")
    with killed(fake, tmp_path, ScaleService, at, after) as kill:
        outcome = kill.run(config(), CALL, call(1))
    assert kill.happened == (at < 3)
    assert isinstance(outcome, Done) and outcome.changes[0].after == "3"
    assert replicas(fake) == 3


def test_the_record_on_the_object_stays_small(driver: ScaleService, fake: FakeCluster) -> None:
    fake.apply(workload(replicas=0))
    for number in range(MAX_SCALINGS + 5):
        driver.execute(config(max=100), CALL, call(number))
    noted = fake.get("Deployment", "default", "shop")["metadata"]["annotations"][SCALINGS]
    assert noted.count("execution") == MAX_SCALINGS
    assert replicas(fake) == MAX_SCALINGS + 5


def test_a_broken_record_is_begun_anew(driver: ScaleService, fake: FakeCluster) -> None:
    obj = workload()
    obj["metadata"]["annotations"] = {SCALINGS: "{"}
    fake.apply(obj)
    driver.execute(config(), CALL, call(1))
    driver.execute(config(), CALL, call(1))
    assert replicas(fake) == 3


def test_what_does_not_exist_is_refused_at_creation(driver: ScaleService) -> None:
    with pytest.raises(InvalidConfig, match="^Invalid service default/none: .* was not found"):
        driver.validate(config(serviceId="default/none"), sample_context())


def test_missing_rights_are_named_at_creation(driver: ScaleService, fake: FakeCluster) -> None:
    fake.apply(workload())
    driver.validate(config(), sample_context())
    fake.deny("patch", "deployments")
    with pytest.raises(InvalidConfig, match=r"Not allowed to patch deployments\.apps in namespace"):
        driver.validate(config(), sample_context())


def test_the_plan_says_what_a_call_would_do(driver: ScaleService, fake: FakeCluster) -> None:
    fake.apply(workload())
    plan = driver.plan(config(), CALL, sample_context())
    assert plan.changes == (Change("Deployment default/shop", "spec.replicas", "2", "3"),)
    assert "Cannot scale above" in driver.plan(config(amount=9), CALL, sample_context()).notes[0]
    assert replicas(fake) == 2


def test_receivers_of_one_workload_share_a_slot(driver: ScaleService) -> None:
    up, down = config(), config(serviceId="default/Deployment/shop", action="down")
    assert driver.slot(up, CALL) == driver.slot(down, CALL) == "/default/Deployment/shop/scale"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": None}, "Scale action not provided"),
        ({"action": "sideways"}, "Invalid action sideways"),
        ({"amount": 0}, "Invalid amount: 0"),
        ({"amount": None}, "Invalid amount: 0"),
        ({"serviceId": ""}, "ServiceId not provided"),
        ({"serviceId": "1s7"}, "Invalid service 1s7: write namespace/name"),
        ({"serviceId": "a/b/c/d"}, "Invalid service a/b/c/d: write"),
        ({"serviceId": "a/DaemonSet/b"}, "The supplied service is of type DaemonSet"),
        ({"min": 0}, "Minimum scale not provided/invalid"),
        ({"max": 0}, "Maximum scale not provided/invalid"),
        ({"min": 4}, "Max must be greater than min"),
        ({"amount": "1"}, "Input should be a valid integer"),
        ({"speed": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**change)
    assert message in str(caught.value)
    assert caught.value.error_count() == 1
