from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, queue_of, read
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.queue import Fenced
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
