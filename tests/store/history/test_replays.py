"""Replays of many executions at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.store.builders import accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.errors import InvalidRequest
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.history.replays import ReplayFilter
from webhook_service.model.people.audit import Actor
from webhook_service.store.store import Store

ALL = ReplayFilter()
FAILED = Verdict(ExecutionState.FAILED, "no", "image_missing")


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


def fail(store: Store, receiver: str, *pushes: Work, verdict: Verdict = FAILED) -> None:
    """Accept pushes and let each fail."""
    for push in pushes:
        accept(store, receiver, push)
        (claim,) = store.claims.claim(10)
        store.claims.record(claim, verdict)


def slots(count: int) -> list[Work]:
    """Pushes to a slot of their own each."""
    return [work(str(number), at=number, slot=f"slot {number}") for number in range(count)]


def ids(pushes: list[Work]) -> tuple[str, ...]:
    return tuple(push.execution for push in pushes)


def test_what_failed_is_replayed_oldest_first(store: Store, receiver: str) -> None:
    pushes = slots(3)
    fail(store, receiver, *pushes)
    found = store.replays.replay_all(PROJECT, ALL, as_of=False, by=Actor("alice"))
    assert (found.replayed, found.remaining) == (ids(pushes), 0)
    made = [store.executions.get(PROJECT, id_) for id_ in found.executions]
    assert [execution.replay_of for execution in made] == list(ids(pushes))
    assert {(execution.state, execution.requested_by) for execution in made} == {
        (ExecutionState.QUEUED, "alice")
    }


def test_a_dry_run_says_the_same_and_changes_nothing(store: Store, receiver: str) -> None:
    pushes = slots(2)
    fail(store, receiver, *pushes)
    assert store.replays.find(PROJECT, ALL).replayed == ids(pushes)
    assert store.claims.claim(10) == []


def test_repeating_a_replay_replays_nothing_twice(store: Store, receiver: str) -> None:
    fail(store, receiver, *slots(2))
    store.replays.replay_all(PROJECT, ALL, as_of=False)
    again = store.replays.replay_all(PROJECT, ALL, as_of=False)
    assert (again.replayed, again.executions, again.remaining) == ((), (), 0)


def test_a_replay_that_failed_too_is_replayed_in_its_place(store: Store, receiver: str) -> None:
    fail(store, receiver, *slots(1))
    first = store.replays.replay_all(PROJECT, ALL, as_of=False)
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, FAILED)
    assert store.replays.replay_all(PROJECT, ALL, as_of=False).replayed == first.executions


def test_a_limit_leaves_the_rest_for_the_next_call(store: Store, receiver: str) -> None:
    pushes = slots(3)
    fail(store, receiver, *pushes)
    two = replace(ALL, limit=2)
    first = store.replays.replay_all(PROJECT, two, as_of=False)
    assert (first.replayed, first.remaining) == (ids(pushes[:2]), 1)
    second = store.replays.replay_all(PROJECT, two, as_of=False)
    assert (second.replayed, second.remaining) == (ids(pushes[2:]), 0)


def test_the_filter_chooses(store: Store, receiver: str) -> None:
    other, _ = add_receiver(store, "other")
    missing, crashed, others = work("1", slot="a"), work("2", slot="b"), work("3", slot="c")
    fail(store, receiver, missing)
    fail(store, receiver, crashed, verdict=replace(FAILED, reason="driver_crashed"))
    fail(store, other, others)
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    def found(**fields: object) -> set[str]:
        wanted = replace(ALL, **fields)  # type: ignore[arg-type]
        return set(store.replays.find(PROJECT, wanted).replayed)

    assert found(receiver=receiver) == {missing.execution, crashed.execution}
    assert found(reason="driver_crashed") == {crashed.execution}
    assert found(since=now - hour, until=now + hour, receiver=other) == {others.execution}
    assert found(since=now + hour) == found(until=now - hour) == set()
    assert found(state=ExecutionState.SUPERSEDED) == set()
    assert store.replays.find("1a6", ALL).replayed == ()


def test_of_one_slots_replays_only_the_newest_runs(store: Store, receiver: str) -> None:
    pushes = [work(tag, at=at) for at, tag in enumerate("123")]
    fail(store, receiver, *pushes)
    made = store.replays.replay_all(PROJECT, ALL, as_of=False).executions
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == made[-1]
    older = [store.executions.get(PROJECT, id_) for id_ in made[:-1]]
    assert {execution.superseded_by for execution in older} == {made[-1]}


def test_a_replay_in_its_old_place_never_overwrites_what_came_since(
    store: Store, receiver: str
) -> None:
    fail(store, receiver, work("1", at=1))
    accept(store, receiver, work("2", at=2))
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, Verdict(ExecutionState.SUCCEEDED))
    (made,) = store.replays.replay_all(PROJECT, ALL, as_of=True).executions
    assert store.claims.claim(10) == []
    assert store.executions.get(PROJECT, made).state is ExecutionState.SUPERSEDED


def test_a_replay_is_newer_than_a_sender_whose_clock_runs_ahead(
    store: Store, receiver: str
) -> None:
    fail(store, receiver, work("1", at=280))
    (made,) = store.replays.replay_all(PROJECT, ALL, as_of=False).executions
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == made


def test_pushes_of_a_deleted_receiver_are_not_replayed(store: Store, receiver: str) -> None:
    fail(store, receiver, *slots(1))
    store.receivers.remove(PROJECT, receiver)
    assert store.replays.replay_all(PROJECT, ALL, as_of=False).replayed == ()


@pytest.mark.parametrize("fields", [{"state": ExecutionState.RUNNING}, {"limit": 0}])
def test_a_filter_that_means_nothing_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        replace(ALL, **fields)  # type: ignore[arg-type]
