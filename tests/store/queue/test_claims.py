import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, read
from tests.support import PROJECT
from webhook_service.driver import Change
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.store.queue.claims import Fenced
from webhook_service.store.queue.leases import MAX_LOST_LEASES
from webhook_service.store.store import Store


def test_an_accepted_push_is_claimed_once(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work("1.2.3")
    accept(store, receiver, push)
    claim = claim_one(store)
    assert claim.execution.event == push.event
    assert (claim.attempt, claim.config) == (1, {"target": "t"})
    assert store.claims.claim(10) == []
    assert read(store, push).state is ExecutionState.RUNNING


def test_a_recorded_end_is_kept_with_its_changes(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    change = Change("Deployment shop/shop", "image", "a", "b")
    store.claims.record(claim_one(store), replace(DONE, changes=(change,)))
    execution = read(store, push)
    assert (execution.state, execution.message) == (ExecutionState.SUCCEEDED, "done")
    assert execution.changes == (change,)
    assert execution.finished is not None
    assert [(a.number, a.state, a.steps) for a in execution.attempts] == [(1, "succeeded", 1)]


def test_of_several_waiting_pushes_only_the_newest_runs(store: Store) -> None:
    receiver, _ = add_receiver(store)
    pushes = [work("a", at=1), work("c", at=3), work("b", at=2)]
    for push in pushes:
        accept(store, receiver, push)
    assert claim_one(store).execution.event.tag == "c"  # type: ignore[union-attr]
    for older in (pushes[0], pushes[2]):
        execution = read(store, older)
        assert execution.state is ExecutionState.SUPERSEDED
        assert execution.superseded_by == pushes[1].execution


def test_an_older_push_that_arrives_late_never_runs(store: Store) -> None:
    receiver, _ = add_receiver(store)
    newest, late = work("3", at=3), work("1", at=1)
    accept(store, receiver, newest)
    store.claims.record(claim_one(store), DONE)
    accept(store, receiver, late)
    assert store.claims.claim(10) == []
    assert read(store, late).superseded_by == newest.execution


def test_a_failed_newest_does_not_bring_an_older_one_back(store: Store) -> None:
    receiver, _ = add_receiver(store)
    older, newest = work("1", at=1), work("2", at=2)
    accept(store, receiver, older)
    accept(store, receiver, newest)
    store.claims.record(claim_one(store), Verdict(ExecutionState.FAILED, "broken"))
    assert store.claims.claim(10) == []
    assert read(store, older).state is ExecutionState.SUPERSEDED


def test_pushes_of_the_same_second_run_in_order_of_receipt(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first, second = work("a", at=1), work("b", at=1)
    accept(store, receiver, first)
    accept(store, receiver, second)
    assert claim_one(store).execution.id == second.execution
    assert read(store, first).state is ExecutionState.SUPERSEDED


def test_a_slot_is_busy_while_a_rollout_is_followed(store: Store) -> None:
    receiver, _ = add_receiver(store)
    running, next_one = work("1", at=1), work("2", at=2)
    accept(store, receiver, running)
    wait = Verdict(ExecutionState.WAITING, "rolling", pause=0.0, driver_state={"step": 1})
    store.claims.record(claim_one(store), replace(wait, pause=60))
    accept(store, receiver, next_one)
    assert store.claims.claim(10) == []
    assert read(store, next_one).state is ExecutionState.QUEUED


def test_slots_do_not_wait_for_each_other(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work(slot="a"), work(slot="b"), work(slot="c"))
    assert len(store.claims.claim(10)) == 3


def test_no_more_is_claimed_than_was_asked_for(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, *[work(slot=str(number)) for number in range(5)])
    assert len(store.claims.claim(2)) == 2


def test_a_waiting_execution_comes_back_with_its_state_in_the_same_attempt(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    wait = Verdict(ExecutionState.WAITING, "rolling", driver_state={"step": 1})
    store.claims.record(claim_one(store), wait)
    claim = claim_one(store)
    assert (claim.attempt, claim.execution.driver_state) == (1, {"step": 1})
    store.claims.record(claim, DONE)
    (attempt,) = read(store, push).attempts
    assert (attempt.steps, attempt.state) == (2, "succeeded")


def test_a_retry_is_a_new_attempt_after_its_pause(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    later = Verdict(ExecutionState.RETRYING, "API down", "transient", pause=3600)
    store.claims.record(claim_one(store), later)
    assert store.claims.claim(10) == []
    execution = read(store, push)
    assert (execution.state, execution.reason) == (ExecutionState.RETRYING, "transient")
    assert store.claims.next_due() == execution.due


def test_a_retrying_push_gives_way_to_a_newer_one(store: Store) -> None:
    receiver, _ = add_receiver(store)
    failing, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, failing)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, "down", pause=3600))
    accept(store, receiver, newer)
    assert claim_one(store).execution.id == newer.execution
    assert read(store, failing).state is ExecutionState.SUPERSEDED


def test_raw_requests_run_one_after_the_other_and_none_is_dropped(store: Store) -> None:
    receiver, _ = add_receiver(store)
    calls = [request(), request(), request()]
    for call in calls:
        accept(store, receiver, call)
    for call in calls:
        claim = claim_one(store)
        assert claim.execution.id == call.execution
        store.claims.record(claim, DONE)
    assert store.claims.claim(10) == []


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


def test_what_kills_its_workers_ends_in_the_dead_letter(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    for _ in range(MAX_LOST_LEASES):
        claim_one(store)
        lose_leases(store)
        store.claims.sweep()
    assert store.claims.claim(10) == []
    execution = read(store, push)
    assert (execution.state, execution.reason) == (ExecutionState.FAILED, "worker_lost")
    assert len(execution.attempts) == MAX_LOST_LEASES


def test_work_of_a_deleted_receiver_is_cancelled(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.receivers.remove(PROJECT, receiver)
    assert store.claims.claim(10) == []
    assert read(store, push).state is ExecutionState.CANCELLED


def test_parallel_claims_never_share_an_execution_or_a_slot(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, *[work(slot=str(number % 20)) for number in range(60)])
    found: list[Claim] = []

    def take() -> None:
        for _ in range(10):
            found.extend(store.claims.claim(3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len({claim.execution.slot for claim in found}) == 20


def test_a_named_execution_is_claimed_if_it_may_run(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first, other = work(slot="a"), work(slot="b")
    accept(store, receiver, first, other)
    claim = store.claims.claim_execution(other.execution)
    assert claim is not None and claim.execution.id == other.execution
    assert store.claims.claim_execution(other.execution) is None
    assert store.claims.claim_execution("exe_unknown") is None
    assert read(store, first).state is ExecutionState.QUEUED


def test_naming_an_older_push_claims_the_newer_one_of_its_slot(store: Store) -> None:
    receiver, _ = add_receiver(store)
    older, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, older, newer)
    claim = store.claims.claim_execution(older.execution)
    assert claim is not None and claim.execution.id == newer.execution
    assert read(store, older).superseded_by == newer.execution
    assert store.claims.claim_execution(newer.execution) is None


def test_naming_an_execution_of_a_busy_slot_claims_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    running, queued = work("1", at=1), work("2", at=2)
    accept(store, receiver, running)
    claim_one(store)
    accept(store, receiver, queued)
    assert store.claims.claim_execution(queued.execution) is None


def test_naming_an_execution_before_its_time_claims_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, "down", pause=3600))
    assert store.claims.claim_execution(push.execution) is None


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
