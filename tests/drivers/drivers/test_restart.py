"""restart: new pods once per push, whatever dies meanwhile, and never for a stranger's image."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.kills import WAYS, killed
from tests.drivers.steps import Clock, context, images_of, push, run_to_end, template_of, workload
from webhook_drivers.kubernetes.drivers.restart import RESTART, RESTARTED, Restart, RestartConfig
from webhook_service import (
    Change,
    Done,
    DriverError,
    InvalidConfig,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.testing import FakeCluster

BASE = push("12", repository="acme/base")
FIELD = f"template.metadata.annotations[{RESTART}]"


def config(**more: Any) -> RestartConfig:
    values = {"namespace": "default", "name": "shop", "timeoutSeconds": 20}
    return RestartConfig.model_validate(values | more)


def named(number: int, **more: Any) -> Any:
    """The context of a push whose repository the receiver names."""
    return context(number, named=True, **more)


@pytest.fixture
def driver(fake: FakeCluster, clock: Clock, tmp_path: Path) -> Iterator[Restart]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(Restart({"kubeconfig": str(path)}, now=clock)) as driver:
        yield driver


def writes(fake: FakeCluster, kind: str = "Deployment") -> int:
    generation: int = fake.get(kind, "default", "shop")["metadata"]["generation"]
    return generation - 1


def pods(fake: FakeCluster) -> set[str]:
    return {
        pod["metadata"]["name"]
        for pod in fake.list("Pod", "default")
        if not pod["metadata"].get("deletionTimestamp")
    }


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_push_restarts_the_pods_and_changes_no_image(
    driver: Restart, fake: FakeCluster, kind: str
) -> None:
    before = fake.apply(workload(kind))
    outcome = run_to_end(driver, config(kind=kind), BASE, named(1))
    change = Change(f"{kind} default/shop", FIELD, None, "push-1")
    assert isinstance(outcome, Done) and outcome.changes == (change,)
    assert outcome.message.startswith(f"{kind} default/shop was restarted: ")
    after = fake.get(kind, "default", "shop")
    assert images_of(after) == images_of(before)
    assert template_of(after)["metadata"]["annotations"] == {RESTART: "push-1"}
    assert writes(fake, kind) == 1


def test_every_pod_is_a_new_one(driver: Restart, fake: FakeCluster) -> None:
    fake.apply(workload())
    run_to_end(driver, config(), BASE, named(1))
    first = pods(fake)
    run_to_end(driver, config(), BASE, named(2))
    assert len(pods(fake)) == 2 and not pods(fake) & first


def test_the_same_push_restarts_once(driver: Restart, fake: FakeCluster) -> None:
    fake.apply(workload())
    run_to_end(driver, config(), BASE, named(1))
    again = driver.execute(config(), BASE, named(1, order_key="0009", execution="exe_9"))
    assert again == Unchanged("Deployment default/shop was restarted by this push already.")
    assert writes(fake) == 1


def test_an_older_push_does_not_restart_after_a_newer_one(
    driver: Restart, fake: FakeCluster
) -> None:
    fake.apply(workload())
    run_to_end(driver, config(), BASE, named(2))
    with pytest.raises(Superseded):
        driver.execute(config(), BASE, named(1))
    assert writes(fake) == 1


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("at", range(1, 5))
def test_a_restart_that_dies_at_any_place_happens_once(
    fake: FakeCluster, tmp_path: Path, at: int, after: bool
) -> None:
    fake.apply(workload())
    with killed(fake, tmp_path, Restart, at, after) as kill:
        outcome = kill.run(config(), BASE, named(1))
    assert isinstance(outcome, Done)
    assert outcome.changes == (Change("Deployment default/shop", FIELD, None, "push-1"),)
    assert writes(fake) == 1


def test_a_stranger_cannot_restart_with_an_image_that_nobody_runs(
    driver: Restart, fake: FakeCluster
) -> None:
    fake.apply(workload())
    with pytest.raises(TargetConflict, match=r"No container .* runs docker\.io/acme/base"):
        driver.execute(config(), BASE, context(1))
    assert isinstance(run_to_end(driver, config(), push("2"), context(2)), Done)


def test_a_paused_deployment_is_left_alone(driver: Restart, fake: FakeCluster) -> None:
    fake.apply(workload(paused=True))
    with pytest.raises(DriverError, match="is paused") as caught:
        driver.execute(config(), BASE, named(1))
    assert caught.value.reason == "paused"
    assert writes(fake) == 0


def test_a_restart_that_takes_too_long_fails(
    driver: Restart, fake: FakeCluster, clock: Clock
) -> None:
    fake.apply(workload(image="acme/shop:bad"))
    outcome = driver.execute(config(), BASE, named(1))
    assert isinstance(outcome, Wait)
    clock.ahead = 30
    with pytest.raises(DriverError, match="did not end within 20 s") as caught:
        driver.execute(config(), BASE, named(1, state=outcome.state))
    assert caught.value.reason == "rollout_timeout" and caught.value.changes


def test_a_broken_record_is_begun_anew(driver: Restart, fake: FakeCluster) -> None:
    obj = workload()
    obj["metadata"]["annotations"] = {RESTARTED: "[]"}
    fake.apply(obj)
    assert isinstance(run_to_end(driver, config(), BASE, named(1)), Done)
    noted = fake.get("Deployment", "default", "shop")["metadata"]["annotations"][RESTARTED]
    assert json.loads(noted)["identity"] == "push-1"


def test_what_does_not_exist_is_refused_at_creation(driver: Restart, fake: FakeCluster) -> None:
    with pytest.raises(InvalidConfig, match='"shop" in namespace default was not found'):
        driver.validate(config(), context(1))
    fake.deny("patch", "deployments")
    with pytest.raises(InvalidConfig, match="Not allowed to patch deployments"):
        driver.validate(config(), context(1))
    with pytest.raises(ValidationError):
        config(kind="CronJob")


def test_the_plan_says_what_would_change(driver: Restart, fake: FakeCluster) -> None:
    fake.apply(workload())
    assert driver.plan(config(), BASE, named(1)).changes[0].after == "push-1"
    assert "nothing was changed" in driver.plan(config(), BASE, context(1)).notes[0]
    assert writes(fake) == 0


def test_a_plan_for_a_push_that_restarted_already_announces_nothing(
    driver: Restart, fake: FakeCluster
) -> None:
    fake.apply(workload())
    run_to_end(driver, config(), BASE, named(1))  # type: ignore[arg-type]
    plan = driver.plan(config(), BASE, named(1))
    assert plan.changes == ()
    assert plan.notes == ("Deployment default/shop was restarted by this push already.",)
