from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import (
    LEASE,
    Clock,
    claim_one,
    lose_leases,
    queue_of,
    read,
    wait_in_line,
)
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store


def test_what_kills_its_workers_ends_in_the_dead_letter(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    for _ in range(3):
        claim_one(store)
        lose_leases(store)
        store.claims.sweep()
    assert store.claims.claim(10) == []
    execution = read(store, push)
    assert (execution.state, execution.reason) == (ExecutionState.FAILED, "worker_lost")
    assert execution.message == "The worker was lost while it ran this (3 times in a row)."
    assert execution.finished is not None
    attempts = execution.attempts
    assert [each.state for each in attempts] == ["retrying", "retrying", "failed"]
    assert all(each.finished is not None for each in attempts)
    assert attempts[0].message == "The worker was lost while it ran this (1 times in a row)."


def test_only_losses_in_a_row_count(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    for _ in range(2):
        for _ in range(2):
            queue.claim(1)
            clock.wait(LEASE + 1)
            assert queue.sweep() == 1
        (claim,) = queue.claim(1)
        queue.record(claim, Verdict(ExecutionState.WAITING, "rolling"))
    assert read(store, push).state is ExecutionState.WAITING


def test_a_lost_worker_frees_the_slot_at_once(store: Store) -> None:
    receiver, _ = add_receiver(store)
    claim, waiting = wait_in_line(store, receiver, 3)
    assert store.claims.give_up([claim], "It hung", "timed_out") == 1
    assert [queue_of(store, execution) for execution in waiting] == ["ready", "behind"]
