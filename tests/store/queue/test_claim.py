import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.builders import NOW, accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, MOMENT, Clock, claim_one, queue_of, read
from tests.support import PROJECT
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.store.queue.queue import Queue
from webhook_service.store.queue.slots import MAX_ENDED
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


def test_what_gives_way_keeps_no_reason_of_its_last_try(store: Store) -> None:
    receiver, _ = add_receiver(store)
    older, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, older)
    retry = Verdict(ExecutionState.RETRYING, "down", "cluster_unreachable", pause=3600)
    store.claims.record(claim_one(store), retry)
    accept(store, receiver, newer)
    claim_one(store)
    ended = read(store, older)
    assert (ended.state, ended.reason) == (ExecutionState.SUPERSEDED, None)


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


def test_a_slot_is_busy_while_a_raw_request_is_followed(store: Store) -> None:
    receiver, _ = add_receiver(store)
    running, next_one = request(), request()
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


def test_a_flood_in_one_slot_ends_in_bounded_transactions(store: Store) -> None:
    receiver, _ = add_receiver(store)
    count = 2 * MAX_ENDED + 50
    pushes = [work(str(number), at=number) for number in range(count)]
    accept(store, receiver, *pushes)
    assert claim_one(store).execution.id == pushes[-1].execution
    assert store.executions.backlog().open == {"running": 1, "queued": count - 1 - MAX_ENDED}
    assert store.claims.claim(1) == []
    assert store.executions.backlog().open == {"running": 1, "queued": 1}
    assert read(store, pushes[0]).superseded_by == pushes[-1].execution


def test_work_of_a_deleted_receiver_is_cancelled(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.receivers.remove(PROJECT, receiver)
    assert store.claims.claim(10) == []
    assert read(store, push).state is ExecutionState.CANCELLED


def test_a_rollout_whose_receiver_is_deleted_is_cancelled_with_its_attempt(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.claims.record(claim_one(store), Verdict(ExecutionState.WAITING, "rolling"))
    store.receivers.remove(PROJECT, receiver)
    assert store.claims.claim(10) == []
    execution = read(store, push)
    assert execution.state is ExecutionState.CANCELLED
    (attempt,) = execution.attempts
    assert (attempt.state, attempt.finished) == ("cancelled", execution.finished)


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


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_claims_read_no_more_than_the_partial_indexes(store: Store, statements: list[str]) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work("1", at=1), work("2", at=2), request("b"))
    store.claims.sweep()  # the first one of a process looks at all that is open
    statements.clear()
    claims = store.claims.claim(10)
    accept(store, receiver, work("3", at=3))
    store.claims.claim(10)
    store.claims.renew(claims)
    for claim in claims:
        store.claims.record(claim, DONE)
    store.claims.sweep()
    with store.database.read() as connection:
        for statement in {each for each in statements if each.startswith(("SEL", "UPD", "WITH"))}:
            values = (None,) * statement.count("?")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            scans = [row.detail for row in plan if row.detail.startswith("SCAN")]
            assert set(scans) <= {"SCAN walk", "SCAN CONSTANT ROW"}, f"{scans} in {statement}"


def test_a_followed_rollout_goes_on_when_a_newer_push_waits_behind_it(store: Store) -> None:
    receiver, _ = add_receiver(store)
    followed, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, followed)
    store.claims.record(claim_one(store), Verdict(ExecutionState.WAITING, "rolling"))
    accept(store, receiver, newer)
    again = claim_one(store)
    assert (again.execution.id, again.resumed) == (followed.execution, True)
    assert read(store, newer).state is ExecutionState.QUEUED
    store.claims.record(again, DONE)
    assert claim_one(store).execution.id == newer.execution
    assert read(store, followed).state is ExecutionState.SUCCEEDED


def test_what_is_due_at_this_moment_runs(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    received = accept(store, receiver, push).received
    clock.time = received - MOMENT
    assert queue.claim(10) == []
    clock.time = received
    (claim,) = queue.claim(10)
    queue.record(claim, Verdict(ExecutionState.RETRYING, "down", pause=5))
    clock.time += timedelta(seconds=5) - MOMENT
    assert queue.claim(10) == []
    clock.time += MOMENT
    (again,) = queue.claim(10)
    assert again.execution.id == push.execution


def test_what_is_found_before_its_time_is_not_looked_at_again(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    held = replace(work(), held_until=clock.time + timedelta(hours=1))
    accept(store, receiver, held)
    assert queue.claim(10) == []
    assert queue_of(store, held.execution) == "later"
    clock.wait(3600)
    (claim,) = queue.claim(10)
    assert claim.execution.id == held.execution


def test_nothing_older_runs_while_the_newest_waits_for_its_time(store: Store) -> None:
    receiver, _ = add_receiver(store)
    older, newest = work("1", at=1), work("2", at=2)
    accept(store, receiver, newest)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, "down", pause=3600))
    accept(store, receiver, older)
    assert store.claims.claim(10) == []
    assert read(store, older).superseded_by == newest.execution
    assert read(store, newest).state is ExecutionState.RETRYING


def test_raw_requests_run_in_order_of_receipt_whatever_their_times(store: Store) -> None:
    receiver, _ = add_receiver(store)
    ahead = replace(request(), ordered_at=NOW + timedelta(minutes=1))
    for call in (ahead, request()):
        accept(store, receiver, call)
        store.claims.record(claim_one(store), DONE)
        assert read(store, call).state is ExecutionState.SUCCEEDED


def test_a_late_push_is_told_which_newer_one_ran_last(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first, second, late = work("a", at=1), work("b", at=1), work("c", at=0)
    for push in (first, second):
        accept(store, receiver, push)
        store.claims.record(claim_one(store), DONE)
    accept(store, receiver, late)
    assert store.claims.claim(10) == []
    assert read(store, late).superseded_by == second.execution


def test_all_that_ends_in_a_claim_leaves_other_slots_alone(store: Store) -> None:
    receiver, _ = add_receiver(store)
    slots = {slot: [work(tag, at=int(tag), slot=slot) for tag in "123"] for slot in "ab"}
    accept(store, receiver, *[push for pushes in slots.values() for push in pushes])
    assert {claim.execution.slot[-1] for claim in store.claims.claim(10)} == {"a", "b"}
    for first, second, newest in slots.values():
        assert read(store, newest).state is ExecutionState.RUNNING
        for older in (first, second):
            assert read(store, older).superseded_by == newest.execution
