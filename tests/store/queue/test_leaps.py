from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import LEASE, MOMENT, Clock, read
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.leaps import ClockWatch
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Steady:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("shown", "went_back"),
    [(10.0, False), (3610.0, False), (9.5, False), (5.0, True), (-3590.0, True)],
)
def test_a_step_back_is_seen_and_nothing_else(shown: float, went_back: bool) -> None:
    steady = Steady()
    watch = ClockWatch(steady)
    watch.went_back(NOON)
    steady.seconds += 10
    assert watch.went_back(NOON + timedelta(seconds=shown)) is went_back


def test_the_first_look_cannot_know() -> None:
    watch = ClockWatch(Steady())
    assert [watch.went_back(NOON), watch.went_back(NOON)] == [True, False]


def test_a_small_step_back_is_the_clock_being_set_right() -> None:
    watch = ClockWatch(Steady())
    watch.went_back(NOON)
    assert not watch.went_back(NOON - timedelta(seconds=1))
    assert not watch.went_back(NOON - timedelta(seconds=2))
    assert watch.went_back(NOON - timedelta(seconds=3.001))


@pytest.fixture
def ahead(store: Store, clock: Clock) -> Queue:
    """The queue of a host whose clock is a year ahead."""
    return Queue(store.database, LEASE, lambda: clock.time + timedelta(days=365))


def test_what_was_planned_while_the_clock_was_ahead_is_due_once_it_went_back(
    store: Store, clock: Clock, ahead: Queue
) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    (claim,) = ahead.claim(1)
    ahead.record(claim, Verdict(ExecutionState.RETRYING, "down", pause=5))
    back = Queue(store.database, LEASE, clock)
    assert back.claim(1) == []
    back.sweep()
    assert [claim.execution.id for claim in back.claim(1)] == [push.execution]


def test_what_was_received_while_the_clock_was_ahead_is_due_once_it_went_back(
    store: Store, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    received = accept(store, receiver, push).received
    clock.time = received - timedelta(hours=1)
    back = Queue(store.database, LEASE, clock)
    assert back.claim(1) == []
    back.sweep()
    assert [claim.execution.id for claim in back.claim(1)] == [push.execution]


def test_leases_of_the_time_ahead_end_once_the_clock_went_back(
    store: Store, clock: Clock, ahead: Queue
) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    ahead.claim(1)
    back = Queue(store.database, LEASE, clock)
    back.sweep()
    clock.time += MOMENT
    assert back.sweep() == 1


def test_what_waits_rightly_goes_on_waiting_when_the_clock_went_back(
    store: Store, clock: Clock, queue: Queue
) -> None:
    receiver, _ = add_receiver(store)
    retrying, running = work(slot="retrying"), work(slot="running")
    accept(store, receiver, retrying)
    (claim,) = queue.claim(1)
    half_a_day = timedelta(hours=12).total_seconds()
    queue.record(claim, Verdict(ExecutionState.RETRYING, "down", pause=half_a_day))
    accept(store, receiver, running)
    queue.claim(1)
    frozen = clock.time + timedelta(days=30)
    held = replace(work(slot="held"), held_until=frozen)
    accept(store, receiver, held)
    back = Queue(store.database, LEASE, clock)
    assert back.sweep() == 0
    clock.time += MOMENT
    assert back.sweep() == 0
    assert back.claim(10) == []
    assert read(store, held).due == frozen
    assert read(store, retrying).due == back.next_due()
