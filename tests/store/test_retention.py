"""Retention: what goes, and what must stay."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.errors import NotFound
from webhook_service.model.delivery import DeliveryState
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.ids import new_key
from webhook_service.store.retention import KEPT_REVISIONS, ChoreStep, PruningStore
from webhook_service.store.store import Store

DONE = Verdict(ExecutionState.SUCCEEDED, "done")
FAILED = Verdict(ExecutionState.FAILED, "no")
YEAR = timedelta(days=365)


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


@pytest.fixture
def pruning(store: Store) -> PruningStore:
    """In small batches, so that there are several."""
    return PruningStore(store.database, batch=4)


def end(store: Store, receiver: str, number: int, verdict: Verdict, slot: str = "slot") -> str:
    """An execution that has ended; its id."""
    push = work(str(number), at=number, slot=slot)
    accept(store, receiver, push)
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, verdict)
    return push.execution


def make_old(store: Store) -> None:
    """Let a year pass for all that is stored."""
    past = YEAR // timedelta(microseconds=1)
    for statement in (
        f"UPDATE executions SET created = created - {past}, finished = finished - {past}",
        f"UPDATE deliveries SET received = received - {past}",
        f"UPDATE slots SET ordered = ordered - {past}",
        f"UPDATE keys SET expires = expires - {past}",
    ):
        execute(store, statement)


def execute(store: Store, statement: str) -> None:
    store.database.write(lambda connection: connection.execute(text(statement)))


def before() -> datetime:
    return datetime.now(UTC) - timedelta(days=90)


def prune(pruning: PruningStore, what: str) -> int:
    """All batches of one pass; how many rows were removed."""
    count, step = 0, ChoreStep("", False, 0)
    while not step.done:
        step = getattr(pruning, what)(step.cursor, before())
        count += step.count
    return count


def exists(store: Store, execution: str) -> bool:
    try:
        store.executions.get(PROJECT, execution)
    except NotFound:
        return False
    return True


def count(store: Store, table: str) -> int:
    with store.database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_old_executions_and_deliveries_go_and_new_ones_stay(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    old = [end(store, receiver, number, FAILED) for number in range(10)]
    make_old(store)
    new = [end(store, receiver, number, FAILED) for number in range(10, 15)]
    assert prune(pruning, "executions") == 10
    assert [exists(store, execution) for execution in old + new] == [False] * 10 + [True] * 5
    assert count(store, "attempts") == 5
    assert prune(pruning, "deliveries") == 10
    assert count(store, "deliveries") == 5
    assert prune(pruning, "executions") == prune(pruning, "deliveries") == 0


def test_the_revisions_that_a_rollback_needs_stay_with_their_deliveries(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    done = [end(store, receiver, number, DONE) for number in range(KEPT_REVISIONS + 3)]
    other = end(store, receiver, 1, DONE, slot="other")
    make_old(store)
    assert prune(pruning, "executions") == 3
    assert [exists(store, execution) for execution in done] == [False] * 3 + [True] * KEPT_REVISIONS
    assert exists(store, other)
    assert prune(pruning, "deliveries") == 3


def test_the_revisions_of_a_deleted_receiver_go(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    done = end(store, receiver, 1, DONE)
    make_old(store)
    assert prune(pruning, "slots") == 0
    store.receivers.remove(PROJECT, receiver)
    assert prune(pruning, "executions") == 1 and not exists(store, done)
    assert prune(pruning, "slots") == 1


def test_what_has_not_ended_stays(store: Store, receiver: str, pruning: PruningStore) -> None:
    waiting = work("1", slot="a")
    accept(store, receiver, waiting)
    running = work("2", slot="b")
    accept(store, receiver, running)
    assert len(store.claims.claim(1)) == 1
    make_old(store)
    assert prune(pruning, "executions") == prune(pruning, "deliveries") == 0
    assert prune(pruning, "slots") == 0
    assert exists(store, waiting.execution) and exists(store, running.execution)


def test_a_copy_is_known_as_long_as_its_execution_is_kept(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    push = work("1", identity="the same")
    accept(store, receiver, push)
    assert accept(store, receiver, work("1", identity="the same")).state == "duplicate"
    assert prune(pruning, "executions") == 0
    assert accept(store, receiver, work("1", identity="the same")).state == "duplicate"


def test_an_old_push_never_wins_after_its_slots_history_is_gone(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    end(store, receiver, 5, FAILED)
    past = YEAR // timedelta(microseconds=1)
    execute(store, f"UPDATE executions SET created = created - {past}")
    execute(store, f"UPDATE executions SET finished = finished - {past}")
    assert prune(pruning, "executions") == 1
    assert prune(pruning, "slots") == 0
    late = work("4", at=4)
    accept(store, receiver, late)
    assert store.claims.claim(10) == []
    assert store.executions.get(PROJECT, late.execution).state is ExecutionState.SUPERSEDED


def test_bodies_go_first_and_are_not_looked_at_again(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    for number in range(6):
        end(store, receiver, number, FAILED)
    make_old(store)
    end(store, receiver, 7, FAILED)
    first = pruning.bodies("", before())
    assert (first.done, first.count) == (False, 4)
    second = pruning.bodies(first.cursor, before())
    assert (second.done, second.count) == (True, 2)
    assert pruning.bodies(second.cursor, before()) == ChoreStep(second.cursor, True, 0)
    with store.database.read() as connection:
        kept = connection.execute(text("SELECT count(*) FROM deliveries WHERE body IS NOT NULL"))
        assert kept.scalar_one() == 1
    assert count(store, "deliveries") == 7


def test_ignored_calls_go_too(store: Store, receiver: str, pruning: PruningStore) -> None:
    assert accept(store, receiver).state is DeliveryState.IGNORED
    make_old(store)
    assert prune(pruning, "deliveries") == 1


def test_expired_keys_go_and_live_ones_stay(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    key = new_key()
    store.receivers.rotate(PROJECT, receiver, key, timedelta(hours=1))
    assert prune(pruning, "keys") == 0
    make_old(store)
    assert prune(pruning, "keys") == 1
    assert store.receivers.find_by_key(PROJECT, key) is not None


def test_what_is_deleted_meanwhile_does_no_harm(
    store: Store, receiver: str, pruning: PruningStore
) -> None:
    end(store, receiver, 1, FAILED)
    make_old(store)
    other = PruningStore(store.database)
    assert other.executions("", before()).count == 1
    assert pruning.executions("", before()).count == 0
