"""Where claims look: flat in what waits, by turns of the projects, and nothing is forgotten."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event, text

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, read
from tests.support import PROJECT
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.store.queue.slots import MAX_ENDED
from webhook_service.store.store import Store

OTHER = "2b6"


@pytest.fixture
def statements(store: Store) -> Iterator[list[str]]:
    """The SQL that the writer runs from now on."""
    seen: list[str] = []
    engine = store.database._writers

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def queue_of(store: Store, execution: str) -> str:
    query = text("SELECT queue FROM executions WHERE id = :id")
    with store.database.read() as connection:
        found: str = connection.execute(query, {"id": execution}).scalar_one()
    return found


def wait_in_line(store: Store, receiver: str, count: int) -> tuple[Claim, list[str]]:
    """One raw request that runs, and others of its slot that were found to wait behind it."""
    calls = [request() for _ in range(count)]
    accept(store, receiver, *calls)
    claim = claim_one(store)
    assert store.claims.claim(10) == []
    waiting = [call.execution for call in calls if call.execution != claim.execution.id]
    assert {queue_of(store, execution) for execution in waiting} == {"behind"}
    return claim, waiting


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
    store.executions.cancel(PROJECT, claim.execution.id, "no")
    store.executions.cancel(PROJECT, waiting[0], "no")
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


def test_what_is_held_is_looked_at_again_only_when_it_is_due(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, pause=3600))
    assert queue_of(store, push.execution) == "later"
    due = text("UPDATE executions SET due = 1")
    store.database.write(lambda connection: connection.execute(due))
    assert claim_one(store).execution.id == push.execution


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


def test_projects_take_turns(store: Store) -> None:
    flood, _ = add_receiver(store)
    quiet, _ = add_receiver(store, project=OTHER)
    accept(store, flood, *[work(slot=f"a{number}") for number in range(50)])
    accept(store, quiet, work(slot="b"), project=OTHER)
    taken = [claim.execution.project for claim in store.claims.claim(4)]
    assert taken.count(OTHER) == 1


def test_turns_go_round_over_more_projects_than_are_claimed_at_once(store: Store) -> None:
    projects = [f"p{number}" for number in range(7)]
    for project in projects:
        receiver, _ = add_receiver(store, project=project)
        works = [work(slot=f"{project}-{number}") for number in range(3)]
        accept(store, receiver, *works, project=project)
    taken = [claim.execution.project for _ in range(7) for claim in store.claims.claim(1)]
    assert taken == projects


def test_a_project_leaves_the_reserve_to_others(store: Store) -> None:
    flood, _ = add_receiver(store)
    accept(store, flood, *[work(slot=f"a{number}") for number in range(9)])
    assert len(store.claims.claim(8, {}, 2)) == 6
    assert store.claims.claim(2, {PROJECT: 6}, 2) == []
    quiet, _ = add_receiver(store, project=OTHER)
    accept(store, quiet, work(slot="b"), project=OTHER)
    (claim,) = store.claims.claim(2, {PROJECT: 6}, 2)
    assert claim.execution.project == OTHER


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
            assert set(scans) <= {"SCAN walk"}, f"{scans} in {statement}"
