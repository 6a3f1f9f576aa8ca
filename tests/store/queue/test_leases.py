from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import claim_one, lose_leases, read
from webhook_service.model.execution import ExecutionState
from webhook_service.store.queue.leases import MAX_LOST_LEASES
from webhook_service.store.store import Store


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
