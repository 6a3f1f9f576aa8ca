"""One push for all workloads with some labels."""

import random
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.drivers.steps import SHA, Clock, config, context, images_of, push, run_to_end, workload
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.fleet import MAX_ACTIONS, MAX_TARGETS
from webhook_service import (
    Done,
    DriverError,
    GiveWay,
    Interruption,
    InvalidConfig,
    Retry,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.testing import FakeCluster, sample_context

WEB = {"tier": "web"}
CHOSEN = "deployments of namespace default with tier=web"


def settings(**more: Any) -> Any:
    return config(name=None, selector=WEB, **more)


def start(fake: FakeCluster, count: int, image: str = "acme/shop:1", replicas: int = 1) -> None:
    for number in range(count):
        add(fake, f"shop-{number:03}", image, replicas)


def add(fake: FakeCluster, name: str, image: str = "acme/shop:1", replicas: int = 1) -> None:
    labels = {"app": name}
    body = workload(image=image, replicas=replicas, selector={"matchLabels": labels})
    body["spec"]["template"]["metadata"]["labels"] = labels
    body["metadata"] |= {"name": name, "labels": WEB}
    fake.apply(body)


def images(fake: FakeCluster) -> dict[str, str]:
    found = fake.list("Deployment", "default")
    return {item["metadata"]["name"]: images_of(item)["app"] for item in found}


def calls(fake: FakeCluster, since: int) -> Counter[str]:
    found = fake.requests[since:]
    return Counter("EVENT" if item.path.endswith("/events") else f"{item.method}" for item in found)


def test_every_workload_with_the_labels_gets_the_push(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, 3)
    fake.apply(workload())
    outcome = run_to_end(driver, settings(), push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert outcome.message == f"3 of 3 {CHOSEN} were updated."
    assert len(outcome.changes) == 3
    wanted = {f"shop-{number:03}": f"acme/shop:2@{SHA}" for number in range(3)}
    assert images(fake) == wanted | {"shop": "acme/shop:1"}
    again = driver.execute(settings(), push("2", SHA), context(2, identity="push-1"))
    assert isinstance(again, Unchanged)


def test_workloads_of_other_repositories_are_left_alone(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, 2)
    add(fake, "other", "acme/other:1")
    assert isinstance(run_to_end(driver, settings(), push("2"), context(1)), Done)
    assert images(fake)["other"] == "acme/other:1"


def test_nobody_runs_the_repository(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    add(fake, "other", "acme/other:1")
    with pytest.raises(TargetConflict, match=f"None of 1 {CHOSEN} runs the pushed repository"):
        driver.execute(settings(), push("2"), context(1))


def test_a_step_is_bounded_whatever_the_number(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, 60, replicas=0)
    seen, here = [], context(1)
    while True:
        before = len(fake.requests)
        outcome = driver.execute(settings(), push("2", SHA), here)
        seen.append(calls(fake, before))
        if not isinstance(outcome, Wait):
            break
        here = replace(here, state=outcome.state)
    assert isinstance(outcome, Done)
    assert all(step["PATCH"] <= MAX_ACTIONS for step in seen)
    assert sum(step["PATCH"] for step in seen) == 60
    # Events are written meanwhile, those of one step also while the next one runs.
    assert max(step.total() - step["EVENT"] for step in seen) <= 1 + 3 * MAX_ACTIONS


def test_too_many_are_refused_before_anything_changes(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, MAX_TARGETS + 1, replicas=0)
    with pytest.raises(DriverError, match="more than 200, so nothing was changed") as caught:
        driver.execute(settings(), push("2"), context(1))
    assert caught.value.reason == "too_many"
    assert set(images(fake).values()) == {"acme/shop:1"}


def test_a_failure_of_one_does_not_stop_the_others(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, 2)
    add(fake, "paused")
    fake.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "paused"},
            "spec": {"paused": True},
        }
    )
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings(), push("2"), context(1))
    error = caught.value
    assert error.reason == "paused"
    assert error.message.startswith(f"1 of 3 {CHOSEN} failed: Deployment default/paused is paused")
    assert error.message.endswith(f"2 of 3 {CHOSEN} were updated.")
    assert {change.target for change in error.changes} == {
        f"Deployment default/shop-{number:03}" for number in range(2)
    }


def test_failed_ones_are_rolled_back_each_by_itself(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    start(fake, 3)

    def hurry(wait: Wait) -> None:
        clock.ahead += 25 if "rolling back" not in wait.message else 0

    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings(rollbackOnFailure=True), push("bad", SHA), context(1), hurry)
    assert caught.value.reason == "rolled_back"
    assert set(images(fake).values()) == {"acme/shop:1"}
    again = driver.execute(settings(), push("bad", SHA), context(2, identity="push-1"))
    assert isinstance(again, Unchanged) and "was rolled back" in again.reason


def test_an_older_push_changes_only_what_has_no_newer(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, 2)
    run_to_end(driver, config(name="shop-000"), push("3"), context(3))
    outcome = run_to_end(driver, settings(), push("2"), context(2))
    assert isinstance(outcome, Done) and outcome.message.startswith("1 of 2")
    assert images(fake) == {"shop-000": "acme/shop:3", "shop-001": "acme/shop:2"}
    run_to_end(driver, settings(), push("4"), context(4))
    with pytest.raises(Superseded, match="delivery dlv_4"):
        driver.execute(settings(), push("1"), context(1))


def test_one_that_is_deleted_meanwhile_is_told(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, 2)
    first = driver.execute(settings(), push("2"), context(1))
    assert isinstance(first, Wait)
    fake.delete("Deployment", "default", "shop-001")
    with pytest.raises(DriverError, match="default/shop-001 was deleted meanwhile"):
        run_to_end(driver, settings(), push("2"), replace(context(1), state=first.state))
    assert images(fake) == {"shop-000": "acme/shop:2"}


def half_begun(driver: DeploymentUpdate, fake: FakeCluster) -> GiveWay:
    """A push that waits in some of its workloads and has not come to others gives way."""
    start(fake, MAX_ACTIONS + 2)
    first = driver.execute(settings(), push("2"), context(1))
    assert isinstance(first, Wait)
    stand = replace(context(1), state=first.state)
    outcome = driver.interrupt(settings(), push("2"), stand, Interruption.NEWER)
    assert isinstance(outcome, GiveWay), outcome
    return outcome


def test_a_newer_push_begins_everywhere_while_the_older_one_gives_way(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    gave_way = half_begun(driver, fake)
    changed = {change.target for change in gave_way.changes}
    assert len(changed) == MAX_ACTIONS, "what was changed is not forgotten"
    assert Counter(images(fake).values()) == {"acme/shop:2": MAX_ACTIONS, "acme/shop:1": 2}
    assert isinstance(run_to_end(driver, settings(), push("3"), context(3)), Done)
    assert set(images(fake).values()) == {"acme/shop:3"}
    stand = replace(context(1), state=gave_way.state)
    with pytest.raises(Superseded):
        run_to_end(driver, settings(), push("2"), stand)
    assert set(images(fake).values()) == {"acme/shop:3"}


def test_a_push_that_gave_way_goes_on_in_every_workload_if_the_newer_one_is_refused(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    stand = replace(context(1), state=half_begun(driver, fake).state)
    outcome = run_to_end(driver, settings(), push("2"), stand)
    assert isinstance(outcome, Done)
    assert outcome.message == f"{MAX_ACTIONS + 2} of {MAX_ACTIONS + 2} {CHOSEN} were updated."
    assert set(images(fake).values()) == {"acme/shop:2"}


def test_an_abort_takes_every_workload_back_those_that_were_done_too(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, MAX_ACTIONS + 2)
    stand, outcome = context(1), driver.execute(settings(), push("2"), context(1))
    while isinstance(outcome, Wait) and outcome.message.startswith("0 of"):
        stand = replace(stand, state=outcome.state)
        outcome = driver.execute(settings(), push("2"), stand)
    while isinstance(outcome, Wait):
        stand = replace(stand, state=outcome.state)
        outcome = driver.interrupt(settings(), push("2"), stand, Interruption.ABORT)
    assert isinstance(outcome, Done) and "went back" in outcome.message
    assert set(images(fake).values()) == {"acme/shop:1"}


def test_a_cluster_that_is_away_is_asked_again(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, 3)
    first = driver.execute(settings(), push("2"), context(1))
    assert isinstance(first, Wait)
    fake.stop()
    with pytest.raises(Retry):
        driver.execute(settings(), push("2"), replace(context(1), state=first.state))


def test_a_plan_names_every_workload(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, 2)
    plan = driver.plan(settings(), push("2", SHA), sample_context())
    assert [change.target for change in plan.changes] == [
        "Deployment default/shop-000",
        "Deployment default/shop-001",
    ]
    assert driver.running(settings(), push("2", SHA), sample_context()) == ("1",)
    assert set(images(fake).values()) == {"acme/shop:1"}


def test_validation_of_a_selector(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    with pytest.raises(InvalidConfig, match=f"There is no {CHOSEN}: create one, or correct"):
        driver.validate(settings(), sample_context())
    start(fake, 1)
    driver.validate(settings(containers=["app"]), sample_context())
    with pytest.raises(InvalidConfig, match="default/shop-000 has no container web"):
        driver.validate(settings(containers=["web"]), sample_context())
    fake.deny("list", "deployments")
    with pytest.raises(InvalidConfig, match="Not allowed to list deployments.apps"):
        driver.validate(settings(), sample_context())


def test_the_slot_is_that_of_the_labels() -> None:
    slot = DeploymentUpdate().slot(settings(), push("1"))
    assert slot == "/default/Deployment/tier=web/docker.io/acme/shop"


@pytest.mark.timeout(900)
def test_pushes_in_any_order_leave_the_newest_everywhere(
    driver: DeploymentUpdate, fake: FakeCluster, long: bool
) -> None:
    workloads, pushes = (100, 1000) if long else (10, 60)
    start(fake, workloads, replicas=0)
    numbers = list(range(1, pushes + 1))
    random.Random(7).shuffle(numbers)
    work, guard = iter(numbers), threading.Lock()

    def run() -> None:
        while True:
            with guard:
                number = next(work, None)
            if number is None:
                return
            try:
                finish(driver, number)
            except Superseded:
                continue

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(images(fake).values()) == {f"acme/shop:{pushes}"}


def finish(driver: DeploymentUpdate, number: int) -> None:
    here = context(number)
    while True:
        try:
            outcome = driver.execute(settings(), push(str(number)), here)
        except Retry:
            continue
        if not isinstance(outcome, Wait):
            return
        here = replace(here, state=outcome.state)
