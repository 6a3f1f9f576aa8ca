"""What waits behind others in its slot is not looked at, and is not forgotten."""

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, request
from tests.store.queue.claiming import DONE, claim_one, lose_leases, queue_of, read, wait_in_line
from tests.support import PROJECT
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.store import Store


def test_what_waits_for_its_slot_is_not_looked_at_again(
    store: Store, statements: list[str]
) -> None:
    receiver, _ = add_receiver(store)
    wait_in_line(store, receiver, 20)
    statements.clear()
    assert store.claims.claim(10) == []
    assert len(statements) <= 4


@pytest.mark.parametrize("state", [ExecutionState.SUCCEEDED, ExecutionState.RETRYING])
def test_a_freed_slot_lets_the_first_in_line_go(store: Store, state: ExecutionState) -> None:
    receiver, _ = add_receiver(store)
    claim, waiting = wait_in_line(store, receiver, 3)
    store.claims.record(claim, Verdict(state, pause=3600))
    assert claim_one(store).execution.id == waiting[0]
    assert queue_of(store, waiting[1]) == "behind"


def test_a_cancelled_execution_lets_the_first_in_line_go(store: Store) -> None:
    receiver, _ = add_receiver(store)
    claim, waiting = wait_in_line(store, receiver, 3)
    store.executions.cancel(PROJECT, claim.execution.id, force=True)
    store.executions.cancel(PROJECT, waiting[0])
    assert claim_one(store).execution.id == waiting[1]


def test_a_lost_worker_lets_the_line_go_on(store: Store) -> None:
    receiver, _ = add_receiver(store)
    _, waiting = wait_in_line(store, receiver, 2)
    seen = set()
    for _ in range(4):
        lose_leases(store)
        store.claims.sweep()
        for claim in store.claims.claim(1):
            seen.add(claim.execution.id)
            store.claims.record(claim, DONE)
    assert waiting[0] in seen


def test_a_line_whose_first_belongs_to_a_deleted_receiver_goes_on(store: Store) -> None:
    gone, _ = add_receiver(store, "gone")
    stays, _ = add_receiver(store, "stays")
    running, orphan, last = request(), request(), request()
    accept(store, stays, running)
    claim = claim_one(store)
    accept(store, gone, orphan)
    accept(store, stays, last)
    assert store.claims.claim(10) == []
    store.receivers.remove(PROJECT, gone)
    store.claims.record(claim, DONE)
    assert claim_one(store).execution.id == last.execution
    assert read(store, orphan).state is ExecutionState.CANCELLED


def test_the_sweep_finds_what_waits_behind_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    _, waiting = wait_in_line(store, receiver, 2)
    forget = text("UPDATE executions SET state = 'cancelled' WHERE state = 'running'")
    store.database.write(lambda connection: connection.execute(forget))
    assert store.claims.claim(10) == []
    store.claims.sweep()
    assert claim_one(store).execution.id == waiting[0]


def test_what_waits_behind_something_active_is_left_there(store: Store) -> None:
    receiver, _ = add_receiver(store)
    claim, waiting = wait_in_line(store, receiver, 3)
    store.claims.sweep()
    store.claims.record(claim, Verdict(ExecutionState.WAITING, "rolling"))
    assert {queue_of(store, execution) for execution in waiting} == {"behind"}


def test_the_sweep_looks_at_every_slot(store: Store) -> None:
    receiver, _ = add_receiver(store)
    lines = {slot: [request(slot) for _ in range(2)] for slot in ("a", "b", "c")}
    accept(store, receiver, *[call for calls in lines.values() for call in calls])
    assert len(store.claims.claim(10)) == 3
    assert store.claims.claim(10) == []
    forget = text("UPDATE executions SET state = 'cancelled' WHERE state = 'running'")
    store.database.write(lambda connection: connection.execute(forget))
    store.claims.sweep()
    waiting = {calls[1].execution for calls in lines.values()}
    assert {claim.execution.id for claim in store.claims.claim(10)} == waiting
