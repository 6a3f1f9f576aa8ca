"""One slot or row that cannot be claimed stops no other, and is tried again."""

import logging
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, Clock, claim_one, queue_of, read
from tests.support import PROJECT, SECRET
from webhook_service.errors import StoreUnavailable
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ExecutionState
from webhook_service.settings import load_settings
from webhook_service.store.queue.bad_slots import PUT_OFF
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store, open_store

OTHER = "2b6"
MEND = "DROP INDEX bad_slots"


def run(store: Store, statement: str) -> None:
    store.database.write(lambda connection: connection.execute(text(statement)))


def spoil(store: Store, receiver: str, *slots: str) -> list[Work]:
    """Pushes that wait in slots in which the database lets nothing run any more."""
    for slot in slots:
        accept(store, receiver, work("0", at=0, slot=slot))
        store.claims.record(claim_one(store), DONE)
    names = ", ".join(f"'{PROJECT}/{slot}'" for slot in slots)
    run(
        store,
        "CREATE UNIQUE INDEX bad_slots ON executions (slot)"
        f" WHERE slot IN ({names}) AND state IN ('succeeded', 'running')",
    )
    pushes = [work("1", at=1, slot=slot) for slot in slots]
    for push in pushes:
        accept(store, receiver, push)
    return pushes


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


def test_a_slot_that_cannot_be_claimed_stops_no_other(
    store: Store, receiver: str, caplog: pytest.LogCaptureFixture
) -> None:
    other, _ = add_receiver(store, project=OTHER)
    (bad,) = spoil(store, receiver, "bad")
    beside, elsewhere = work(slot="beside"), work(slot="elsewhere")
    accept(store, receiver, beside)
    accept(store, other, elsewhere, project=OTHER)
    taken = {claim.execution.id for claim in store.claims.claim(10)}
    assert taken == {beside.execution, elsewhere.execution}
    execution = read(store, bad)
    assert (execution.state, execution.attempts) == (ExecutionState.QUEUED, ())
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"{PROJECT}/bad" in error.message and bad.execution in error.message
    assert "tried again in 10 s" in error.message


def test_a_row_that_cannot_be_read_stops_no_other(
    store: Store, receiver: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = work(slot="bad"), work(slot="good")
    accept(store, receiver, bad, good)
    run(store, f"UPDATE executions SET event = '{{}}' WHERE id = '{bad.execution}'")
    assert claim_one(store).execution.id == good.execution
    assert queue_of(store, bad.execution) == "later"
    assert bad.execution in caplog.text


def test_what_was_left_out_is_claimed_once_its_cause_is_gone(
    store: Store, receiver: str, queue: Queue, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (bad,) = spoil(store, receiver, "bad")
    assert queue.claim(10) == []
    caplog.clear()
    assert queue.claim(10) == []
    assert not caplog.records, "it is not tried again at once"
    run(store, MEND)
    assert queue.claim_execution(bad.execution) is None
    clock.time += PUT_OFF
    (claim,) = queue.claim(10)
    assert (claim.execution.id, claim.attempt) == (bad.execution, 1)


def test_cancelling_what_cannot_be_claimed_helps_its_slot(
    store: Store, receiver: str, queue: Queue, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (bad,) = spoil(store, receiver, "bad")
    assert queue.claim(10) == []
    assert f"cancel what waits there: {bad.execution}" in caplog.text
    caplog.clear()
    store.executions.cancel(PROJECT, bad.execution, force=True)
    clock.time += PUT_OFF
    assert queue.claim(10) == []
    assert not caplog.records


def test_many_bad_slots_do_not_fill_the_places_of_the_others(store: Store, receiver: str) -> None:
    pushes = spoil(store, receiver, *[f"bad-{number}" for number in range(5)])
    good = work(slot="good")
    accept(store, receiver, good)
    assert [claim.execution.id for claim in store.claims.claim(1)] == [good.execution]
    assert {queue_of(store, push.execution) for push in pushes} == {"later"}


def test_no_more_is_claimed_slot_by_slot_than_was_asked_for(store: Store, receiver: str) -> None:
    other, _ = add_receiver(store, project=OTHER)
    spoil(store, receiver, "bad")
    accept(store, receiver, *[work(slot=str(number)) for number in range(5)])
    accept(store, other, *[work(slot=str(number)) for number in range(5)], project=OTHER)
    claims = store.claims.claim(4, {OTHER: 6}, 2)
    assert [claim.execution.project for claim in claims].count(OTHER) <= 2
    assert len(claims) == 3, "the last place is for a project that runs nothing"


def test_a_named_execution_that_cannot_be_claimed_is_named_again_later(
    store: Store, receiver: str, queue: Queue, clock: Clock
) -> None:
    (bad,) = spoil(store, receiver, "bad")
    assert queue.claim_execution(bad.execution) is None
    assert list(queue.overdue(10, timedelta(0))) == []
    clock.time += PUT_OFF
    assert list(queue.overdue(10, timedelta(0))) == [bad.execution]


def test_a_fault_of_the_database_is_none_of_the_slots(store: Store, receiver: str) -> None:
    push = work()
    accept(store, receiver, push)
    run(store, "ALTER TABLE attempts RENAME TO gone")
    with pytest.raises(StoreUnavailable):
        store.claims.claim(1)
    assert queue_of(store, push.execution) == "ready"
    run(store, "ALTER TABLE gone RENAME TO attempts")
    assert claim_one(store).execution.id == push.execution


def test_hosts_that_claim_in_the_same_slots_at_once_do_not_fail(
    store: Store, receiver: str, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [request(str(number % 4)) for number in range(40)]
    accept(store, receiver, *calls)
    settings = load_settings(database_url=database_url, secret_key=SECRET)
    hosts = [open_store(settings) for _ in range(3)]
    start = threading.Barrier(len(hosts))
    faults: list[Exception] = []

    def drain(host: Store) -> None:
        start.wait(20)
        try:
            for _ in range(60):
                for claim in host.claims.claim(1):
                    host.claims.record(claim, DONE)
        except Exception as exc:
            faults.append(exc)

    threads = [threading.Thread(target=drain, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for host in hosts:
        host.close()
    assert faults == []
    assert {read(store, call).state for call in calls} == {ExecutionState.SUCCEEDED}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
