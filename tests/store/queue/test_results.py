from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tests.store.builders import accept, add_receiver, as_one_group, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, read
from tests.support import PROJECT
from webhook_service.errors import Change
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.queue import Fenced
from webhook_service.store.queue.results import Result, record
from webhook_service.store.store import Store
from webhook_service.store.tables import executions


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


def test_only_retries_are_counted_as_such(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, work())
    counted = []
    for state in (ExecutionState.WAITING, ExecutionState.RETRYING) * 2:
        claim = claim_one(store)
        counted.append((claim.retries, claim.attempt))
        store.claims.record(claim, Verdict(state))
    assert counted == [(0, 1), (0, 1), (1, 2), (1, 2)]
    assert claim_one(store).retries == 2


def test_a_result_is_stored_once(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    claim = claim_one(store)
    store.claims.record(claim, DONE)
    with pytest.raises(Fenced, match=push.execution):
        store.claims.record(claim, Verdict(ExecutionState.FAILED, "again"))
    assert read(store, push).message == "done"


def test_results_that_come_together_are_each_stored_or_refused(store: Store) -> None:
    receiver, _ = add_receiver(store)
    pushes = [work(slot=slot) for slot in "abc"]
    accept(store, receiver, *pushes)
    claims = {claim.execution.id: claim for claim in store.claims.claim(3)}
    first, cancelled, last = [claims[push.execution] for push in pushes]
    store.executions.cancel(PROJECT, cancelled.execution.id, force=True)
    now = datetime.now(UTC)
    results = [
        Result(first, DONE, now),
        Result(cancelled, DONE, now),
        Result(last, Verdict(ExecutionState.FAILED, "broken", "why"), now),
    ]
    with as_one_group(store.database):
        stored = [store.database.submit(record, result) for result in results]
    assert [each.result(5) for each in stored] == [True, False, True]
    ends = [read(store, push) for push in pushes]
    assert [each.state for each in ends] == ["succeeded", "cancelled", "failed"]
    assert [each.attempts[0].state for each in ends] == ["succeeded", "cancelled", "failed"]
    assert (ends[2].message, ends[2].reason) == ("broken", "why")


def test_what_a_step_had_changed_is_remembered_if_people_cancelled_meanwhile(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first, second = [work(slot=slot) for slot in "ab"]
    accept(store, receiver, first, second)
    claims = store.claims.claim(2)
    change = Change("Deployment shop", "image", "1", "2")
    for claim in claims:
        store.executions.cancel(PROJECT, claim.execution.id, force=True)
        with pytest.raises(Fenced):
            store.claims.record(claim, replace(DONE, changes=(change,)))
    for push in (first, second):
        cancelled = read(store, push)
        assert (cancelled.state, cancelled.changes) == ("cancelled", (change,))
        assert cancelled.changed is not None


def test_a_worker_that_lost_its_lease_says_nothing_of_what_another_does(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    lost = claim_one(store)
    lose_leases(store)
    store.claims.sweep()
    retry = update(executions).values(due=store.now())
    store.database.write(lambda connection: connection.execute(retry))
    assert claim_one(store).execution.id == push.execution
    store.executions.cancel(PROJECT, push.execution, force=True)
    with pytest.raises(Fenced):
        store.claims.record(lost, replace(DONE, changes=(Change("a", "b", "c", "d"),)))
    assert read(store, push).changes == ()


def test_what_a_result_does_not_say_is_kept(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work("1")
    accept(store, receiver, push)
    change = Change("Deployment shop/shop", "image", "a", "b")
    resolved = replace(push.event, digest="sha256:" + "a" * 64)
    rolling = Verdict(ExecutionState.WAITING, "rolling", changes=(change,), event=resolved)
    store.claims.record(claim_one(store), rolling)
    store.claims.record(claim_one(store), DONE)
    execution = read(store, push)
    assert (execution.changes, execution.event) == ((change,), resolved)
    assert execution.driver_state == {}


def test_a_cancel_by_force_leaves_the_moment_of_the_first_change(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    first, second = Change("a", "b", "c", "d"), Change("a", "b", "d", "e")
    store.claims.record(claim_one(store), Verdict(ExecutionState.WAITING, changes=(first,)))
    began, claim = read(store, push).changed, claim_one(store)
    store.executions.cancel(PROJECT, push.execution, force=True)
    with pytest.raises(Fenced):
        store.claims.record(claim, replace(DONE, changes=(first, second)))
    cancelled = read(store, push)
    assert began is not None
    assert (cancelled.changed, cancelled.changes) == (began, (first, second))


def test_the_changes_of_a_lost_step_are_not_noted_on_what_is_tried_again(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    lost = claim_one(store)
    lose_leases(store)
    store.claims.sweep()
    with pytest.raises(Fenced):
        store.claims.record(lost, replace(DONE, changes=(Change("a", "b", "c", "d"),)))
    again = read(store, push)
    assert (again.state, again.changes, again.changed) == ("queued", (), None)
