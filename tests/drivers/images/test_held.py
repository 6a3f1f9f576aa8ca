"""What was rolled back stays back: the same push, a replay or a copy does not bring it again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.drivers.steps import (
    OTHER_SHA,
    SHA,
    Clock,
    config,
    context,
    images_of,
    push,
    run_to_end,
    workload,
)
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.push_record import MAX_HELD, Held, Record, read
from webhook_service import Done, DriverError, Outcome, PushEvent, Unchanged, Wait
from webhook_service.testing import FakeCluster

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(minutes: int, digest: str | None = SHA, tag: str = "bad") -> PushEvent:
    return PushEvent(
        registry="docker.io",
        repository="acme/shop",
        tag=tag,
        digest=digest,
        pushed_at=NOON + timedelta(minutes=minutes),
    )


def image(fake: FakeCluster) -> str:
    return images_of(fake.get("Deployment", "default", "shop"))["app"]


def record(fake: FakeCluster) -> Record:
    return read(fake.get("Deployment", "default", "shop"))["docker.io/acme/shop"]


@pytest.fixture
def undone(driver: DeploymentUpdate, fake: FakeCluster, clock: Clock) -> DeploymentUpdate:
    """A driver that has rolled back the push of noon."""
    fake.apply(workload())
    fail(driver, clock, at(0), 1)
    assert image(fake) == "acme/shop:1"
    return driver


def fail(driver: DeploymentUpdate, clock: Clock, event: PushEvent, number: int) -> None:
    def hurry(wait: Wait) -> None:
        clock.ahead += 0 if wait.message.startswith("rolling back") else 25

    with pytest.raises(DriverError) as caught:
        run_to_end(driver, config(rollbackOnFailure=True), event, context(number), hurry)
    assert caught.value.reason == "rolled_back"


def outcome(driver: DeploymentUpdate, event: PushEvent, number: int, **more: Any) -> Outcome:
    return driver.execute(config(), event, context(number, **more))


@pytest.mark.parametrize("identity", ["push-1", "a-copy-with-another-identity"])
@pytest.mark.parametrize("minutes", [0, -5])
def test_a_copy_is_held(
    undone: DeploymentUpdate, fake: FakeCluster, identity: str, minutes: int
) -> None:
    again = outcome(undone, at(minutes), 2, identity=identity)
    assert isinstance(again, Unchanged)
    assert "was rolled back on Deployment default/shop and is not deployed again" in again.reason
    assert "push it again" in again.reason
    assert image(fake) == "acme/shop:1"


def test_the_same_digest_pushed_later_is_deployed(
    undone: DeploymentUpdate, fake: FakeCluster
) -> None:
    assert isinstance(outcome(undone, at(5), 2), Wait)
    assert image(fake) == f"acme/shop:bad@{SHA}"


def test_without_times_only_another_digest_is_newer(
    undone: DeploymentUpdate, fake: FakeCluster
) -> None:
    assert isinstance(outcome(undone, push("bad", SHA), 2), Unchanged)
    assert isinstance(outcome(undone, push("3", OTHER_SHA), 3), Wait)


def test_a_push_stays_held_after_newer_ones(
    undone: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    assert isinstance(run_to_end(undone, config(), push("2"), context(2)), Done)
    fail(undone, clock, at(9, OTHER_SHA, "bad2"), 3)
    for number, event in ((4, at(0)), (5, at(9, OTHER_SHA, "bad2"))):
        held = {4: "push-1", 5: "push-3"}[number]
        assert isinstance(outcome(undone, event, number, identity=held), Unchanged)
    assert image(fake) == "acme/shop:2"


def test_a_plan_says_that_a_push_is_held(undone: DeploymentUpdate) -> None:
    plan = undone.plan(config(), at(0), context(2, identity="push-1"))
    assert plan.changes == () and "was rolled back" in plan.notes[0]


def test_what_people_set_back_by_hand_is_not_brought_again(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    fake.apply(workload())
    assert isinstance(run_to_end(driver, config(), push("2", SHA), context(1)), Done)
    fake.apply(workload())
    again = outcome(driver, push("2", SHA), 2, identity="push-1")
    assert isinstance(again, Unchanged) and "taken back" in again.reason
    assert isinstance(outcome(driver, push("2", SHA), 3), Wait)


def test_a_rollback_of_people_holds_what_it_replaces(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    fake.apply(workload())
    run_to_end(driver, config(), at(0, SHA, "2"), context(1))
    run_to_end(driver, config(), at(5, OTHER_SHA, "3"), context(2))
    back = context(3, identity="push-1", rolls_back="push-2")
    assert isinstance(run_to_end(driver, config(), at(0, SHA, "2"), back), Done)
    assert image(fake) == f"acme/shop:2@{SHA}"
    for identity in ("push-2", "copy"):
        assert isinstance(outcome(driver, at(5, OTHER_SHA, "3"), 4, identity=identity), Unchanged)
    assert isinstance(run_to_end(driver, config(), at(6, OTHER_SHA, "3"), context(5)), Done)


def test_people_bring_a_held_push_back_by_rolling_back_to_it(
    undone: DeploymentUpdate, fake: FakeCluster
) -> None:
    run_to_end(undone, config(), push("2"), context(2))
    back = context(3, identity="push-1", rolls_back="push-2")
    assert isinstance(undone.execute(config(), at(0), back), Wait)
    assert image(fake) == f"acme/shop:bad@{SHA}"
    assert [item.identity for item in record(fake).held] == ["push-2"]


def test_a_rollback_to_what_runs_still_holds(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    fake.apply(workload(image=f"acme/shop:1@{SHA}"))
    run_to_end(driver, config(), push("2", OTHER_SHA), context(1))
    fake.apply(workload(image=f"acme/shop:1@{SHA}"))
    back = context(2, identity="push-0", rolls_back="push-1")
    for _ in range(2):
        ended = run_to_end(driver, config(), push("1", SHA), back)
        assert isinstance(ended, Unchanged | Done)
    assert isinstance(outcome(driver, push("2", OTHER_SHA), 3, identity="push-1"), Unchanged)


def test_the_last_ten_are_remembered() -> None:
    held = Record()
    for number in range(MAX_HELD + 3):
        held = held.holding(f"push-{number}")
    assert [item.identity for item in held.held] == [f"push-{n}" for n in range(3, MAX_HELD + 3)]
    assert held.holding("push-5").held[-1] == Held(identity="push-5")
    assert len(held.holding("push-5").held) == MAX_HELD


def test_the_recorded_push_is_held_with_its_digest() -> None:
    found = Record(identity="push-1", digest=SHA, pushed_at=7.0).holding("push-1").held
    assert found == (Held(identity="push-1", digest=SHA, pushed_at=7.0),)


def test_old_replica_sets_are_read_only_where_the_spec_was_changed_since(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    fake.apply(workload())
    looks = [looks_after(driver, fake, "2", 1), looks_after(driver, fake, "3", 2)]
    fake.apply({"kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": 3}})
    looks += [looks_after(driver, fake, "4", 3), looks_after(driver, fake, "5", 4)]
    assert looks == [False, False, True, False]


def looks_after(driver: DeploymentUpdate, fake: FakeCluster, tag: str, number: int) -> bool:
    """Whether a push reads ReplicaSets."""
    before = len(fake.requests)
    assert isinstance(run_to_end(driver, config(), push(tag), context(number)), Done)
    return any("replicasets" in request.path for request in fake.requests[before:])
