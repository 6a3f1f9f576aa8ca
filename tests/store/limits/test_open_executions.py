from collections.abc import Iterator

import pytest

from tests.store.builders import accept, add_receiver, decision, limited_store, work
from tests.support import PROJECT
from webhook_service.errors import LimitReached
from webhook_service.model.execution import ExecutionState
from webhook_service.model.history.replays import ReplayFilter
from webhook_service.store.limits.open_executions import PAUSE, OpenExecutions
from webhook_service.store.store import Store

LIMIT = 5


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = limited_store(database_url, max_open_executions=LIMIT)
    yield store
    store.close()


def _settle(store: Store) -> None:
    for _ in range(2):
        store.database.write(lambda connection: None)


def _fill(store: Store, receiver: str, number: int = LIMIT) -> list[str]:
    made = [accept(store, receiver, work(slot=f"slot-{each}")) for each in range(number)]
    _settle(store)
    return [delivery.executions[0] for delivery in made]


def test_a_project_that_is_full_is_refused_and_stores_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    _fill(store, receiver)
    with pytest.raises(LimitReached, match="5 executions that have not ended") as caught:
        accept(store, receiver, work(slot="more"))
    assert (caught.value.status, caught.value.retry_after) == (429, 60)
    assert store.executions.backlog().open == {"queued": LIMIT}


def test_calls_without_work_and_other_projects_are_taken_meanwhile(store: Store) -> None:
    receiver, _ = add_receiver(store)
    other, _ = add_receiver(store, project="other")
    _fill(store, receiver)
    without = accept(store, receiver)
    beside = accept(store, other, work(slot="x"), project="other")
    assert (without.executions, len(beside.executions)) == ((), 1)


def test_when_some_have_ended_calls_are_taken_again(store: Store) -> None:
    receiver, _ = add_receiver(store)
    made = _fill(store, receiver)
    store.executions.cancel(PROJECT, made[0])
    now = 0.0
    counted = OpenExecutions(store.database, LIMIT, lambda: now)
    counted.add(PROJECT, LIMIT)  # this host believes that it is full
    with pytest.raises(LimitReached):
        counted.require_room(PROJECT)
    now += PAUSE
    with pytest.raises(LimitReached):
        counted.require_room(PROJECT)
    _settle(store)
    counted.require_room(PROJECT)


def test_a_host_that_starts_counts_what_others_have_stored(store: Store, database_url: str) -> None:
    receiver, _ = add_receiver(store)
    _fill(store, receiver, LIMIT - 1)
    other = limited_store(database_url, max_open_executions=LIMIT)
    accept(other, receiver, work(slot="last"))
    _settle(other)
    with pytest.raises(LimitReached):
        other.intake.submit(decision(receiver, work(slot="more")))
    other.close()


def test_people_cannot_replay_past_the_limit(store: Store) -> None:
    receiver, _ = add_receiver(store)
    ended = _fill(store, receiver)
    for each in ended:
        store.executions.cancel(PROJECT, each)
    for number, each in enumerate(ended):
        store.replays.replay(PROJECT, each, f"exe_{number}", as_of=False)
    with pytest.raises(LimitReached):
        store.replays.replay(PROJECT, ended[0], "exe_more", as_of=False)
    store.executions.cancel(PROJECT, "exe_0")
    cancelled = ReplayFilter(state=ExecutionState.CANCELLED)
    assert len(store.replays.find(PROJECT, cancelled).replayed) == 1
    store.replays.replay(PROJECT, ended[0], "exe_last", as_of=False)
    with pytest.raises(LimitReached):
        store.replays.replay_all(PROJECT, cancelled, as_of=False)
