from dataclasses import replace

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import DONE, claim_one, read
from webhook_service.driver import Change
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.store import Store


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
