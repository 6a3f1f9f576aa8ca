from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import (
    DONE,
    LEASE,
    MOMENT,
    Clock,
    claim_one,
    lose_leases,
    queue_of,
    read,
)
from tests.support import wait_for
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.queue import WAKING, Fenced, Queue
from webhook_service.store.store import Store


def test_a_lost_lease_is_taken_over_and_the_late_result_refused(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    late = claim_one(store)
    assert store.claims.sweep() == 0
    lose_leases(store)
    assert store.claims.sweep() == 1
    again = claim_one(store)
    assert (again.attempt, again.fence > late.fence) == (2, True)
    with pytest.raises(Fenced):
        store.claims.record(late, Verdict(ExecutionState.FAILED, "late"))
    store.claims.record(again, DONE)
    assert read(store, push).state is ExecutionState.SUCCEEDED


def test_a_result_after_the_sweep_but_before_the_next_claim_is_refused(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    late = claim_one(store)
    lose_leases(store)
    store.claims.sweep()
    with pytest.raises(Fenced):
        store.claims.record(late, DONE)


def test_a_renewed_lease_is_not_lost(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    claim = claim_one(store)
    lose_leases(store)
    store.claims.renew([claim])
    assert store.claims.sweep() == 0


def test_overdue_names_what_could_run_and_nobody_took(store: Store) -> None:
    receiver, _ = add_receiver(store)
    running, behind = work("1", at=1, slot="busy"), work("2", at=2, slot="busy")
    accept(store, receiver, running)
    claim_one(store)
    accept(store, receiver, behind)
    free = [work(slot=str(number)) for number in range(3)]
    for push in free:
        accept(store, receiver, push)
    assert list(store.claims.overdue(10, timedelta(0))) == [push.execution for push in free]
    assert list(store.claims.overdue(2, timedelta(0))) == [push.execution for push in free[:2]]
    assert store.claims.overdue(10, timedelta(minutes=1)) == {}


def test_what_is_held_is_looked_at_again_only_when_it_is_due(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, pause=3600))
    assert queue_of(store, push.execution) == "later"
    due = text("UPDATE executions SET due = 1")
    store.database.write(lambda connection: connection.execute(due))
    assert claim_one(store).execution.id == push.execution


def test_a_lease_lasts_as_long_as_it_says(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    queue.claim(1)
    clock.wait(LEASE)
    assert queue.sweep() == 0
    clock.time += MOMENT
    assert queue.sweep() == 1


def test_a_lease_that_is_renewed_lasts_from_then_on(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work(slot="renewed"), work(slot="left"))
    (renewed, left) = queue.claim(2)
    clock.wait(LEASE - 1)
    queue.renew([])
    queue.renew([renewed])
    clock.wait(2)
    assert queue.sweep() == 1
    clock.wait(LEASE - 2)
    assert queue.sweep() == 0
    clock.time += MOMENT
    assert queue.sweep() == 1
    with pytest.raises(Fenced):
        queue.record(left, DONE)


def test_a_worker_that_lost_its_lease_renews_nothing(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    late = queue.claim(1)
    clock.wait(LEASE + 1)
    queue.sweep()
    queue.claim(1)
    clock.wait(LEASE)
    queue.renew(late)
    clock.time += MOMENT
    assert queue.sweep() == 1


def test_a_lease_in_doubt_ends_early_unless_it_is_renewed(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, *[work(slot=slot) for slot in ("gone", "lives", "other")])
    claims = {claim.execution.slot.split("/")[1]: claim for claim in queue.claim(3)}
    queue.doubt(claims["gone"].execution.id)
    queue.doubt(claims["lives"].execution.id)
    clock.wait(LEASE / 10)
    queue.renew([claims["lives"]])
    clock.wait(LEASE / 10)
    assert queue.sweep() == 0
    clock.time += MOMENT
    assert queue.sweep() == 1
    with pytest.raises(Fenced):
        queue.record(claims["gone"], DONE)


def test_a_doubt_never_makes_a_lease_longer(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    (claim,) = queue.claim(1)
    clock.wait(LEASE - 1)
    queue.doubt(claim.execution.id)
    clock.wait(1)
    clock.time += MOMENT
    assert queue.sweep() == 1


def test_what_is_released_is_as_if_it_had_never_been_claimed(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push, other = work(slot="a"), work(slot="b")
    accept(store, receiver, push, other)
    released, kept = sorted(store.claims.claim(2), key=lambda claim: claim.execution.slot)
    assert store.claims.release([released]) == 1
    execution = read(store, push)
    assert (execution.state, execution.attempts) == (ExecutionState.QUEUED, ())
    again = claim_one(store)
    assert (again.execution.id, again.attempt) == (push.execution, 1)
    with pytest.raises(Fenced):
        store.claims.record(released, DONE)
    for claim in (again, kept):
        store.claims.record(claim, DONE)
    assert [len(read(store, each).attempts) for each in (push, other)] == [1, 1]


def test_a_resumed_claim_that_is_released_goes_on_waiting_in_its_attempt(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    rolling = Verdict(ExecutionState.WAITING, "rolling", driver_state={"step": 1})
    store.claims.record(claim_one(store), rolling)
    assert store.claims.release([claim_one(store)]) == 1
    execution = read(store, push)
    assert execution.state is ExecutionState.WAITING
    assert [(each.number, each.steps) for each in execution.attempts] == [(1, 1)]
    claim = claim_one(store)
    assert (claim.attempt, claim.resumed) == (1, True)
    assert claim.execution.driver_state == {"step": 1}


def test_what_is_no_longer_ours_is_neither_released_nor_given_up(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    late = claim_one(store)
    lose_leases(store)
    store.claims.sweep()
    current = claim_one(store)
    assert store.claims.release([late]) == 0
    assert store.claims.give_up([late], "It hung", "timed_out") == 0
    store.claims.record(current, DONE)
    assert [each.state for each in read(store, push).attempts] == ["retrying", "succeeded"]


def test_what_is_given_up_runs_again_at_once_and_fails_for_the_third_time(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    for _ in range(3):
        claim = claim_one(store)
        assert store.claims.give_up([claim], "It hung", "timed_out") == 1
        with pytest.raises(Fenced):
            store.claims.record(claim, DONE)
    execution = read(store, push)
    assert (execution.state, execution.reason) == (ExecutionState.FAILED, "timed_out")
    assert execution.message == "It hung (3 times in a row)."


def test_what_was_due_later_is_overdue_too_and_comes_in_its_turn(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    retried, first, second = work(slot="retried"), work("1", at=1), work("2", at=2)
    accept(store, receiver, retried)
    (claim,) = queue.claim(1)
    queue.record(claim, Verdict(ExecutionState.RETRYING, "down", pause=5))
    due = clock.time + timedelta(seconds=5)
    assert queue.next_due() == due
    for push in (first, second):
        accept(store, receiver, push)
    assert list(queue.overdue(10, timedelta(0))) == [first.execution, second.execution]
    clock.wait(5)
    found = queue.overdue(10, timedelta(0))
    assert list(found) == [first.execution, second.execution, retried.execution]
    assert found[retried.execution] == due
    assert len(queue.overdue(10, MOMENT)) == 2


def test_a_rollout_is_overdue_like_any_other_though_it_is_active(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    followed, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, followed)
    (claim,) = queue.claim(1)
    queue.record(claim, Verdict(ExecutionState.WAITING, "rolling", pause=5))
    accept(store, receiver, newer)
    assert list(queue.overdue(10, timedelta(0))) == []
    clock.wait(5)
    assert list(queue.overdue(10, timedelta(0))) == [followed.execution]


def test_nothing_is_due_where_nothing_waits_for_its_time(store: Store) -> None:
    receiver, _ = add_receiver(store)
    assert store.claims.next_due() is None
    accept(store, receiver, work())
    assert store.claims.next_due() is None


def test_what_waits_can_be_woken_and_its_time_counts_as_it_was(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.claims.record(claim_one(store), Verdict(ExecutionState.WAITING, pause=3600, watched=3600))
    for _ in range(3):
        store.claims.wake([push.execution])
    due = store.claims.next_due()
    assert due is not None and due - store.now() <= WAKING
    assert wait_for(lambda: due < store.now())
    assert claim_one(store).watched < 60


def test_wakes_of_many_are_written_some_at_a_time(
    queue: Queue,
    store: Store,
    clock: Clock,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhook_service.store.queue.queue.MAX_WOKEN", 2)
    receiver, _ = add_receiver(store)
    pushes = [work(slot=str(number)) for number in range(5)]
    accept(store, receiver, *pushes)
    for claim in queue.claim(10):
        queue.record(claim, Verdict(ExecutionState.WAITING, pause=3600))
    statements.clear()
    queue.wake([push.execution for push in pushes])
    assert len([line for line in statements if line.startswith("UPDATE")]) == 3
    clock.wait(1)
    assert len(queue.claim(10)) == 5


def test_only_what_waits_is_woken(queue: Queue, store: Store, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    runs, retries, soon = (work(slot=each) for each in "abc")
    accept(store, receiver, runs, retries, soon)
    claims = {claim.execution.id: claim for claim in queue.claim(10)}
    retry = Verdict(ExecutionState.RETRYING, "away", "unreachable", pause=600)
    queue.record(claims[retries.execution], retry)
    queue.record(claims[soon.execution], Verdict(ExecutionState.WAITING, pause=0.01))
    queue.wake([runs.execution, retries.execution, soon.execution, "exe_gone"])
    assert queue.next_due() == clock() + timedelta(seconds=0.01)
    clock.wait(1)
    assert [claim.execution.id for claim in queue.claim(10)] == [soon.execution]
