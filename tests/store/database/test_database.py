import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tests.store.builders import as_one_group
from webhook_service.errors import StoreUnavailable
from webhook_service.store.database import database as module
from webhook_service.store.database import write
from webhook_service.store.database.database import Database


def new_database(url: str, max_queued: int = 1000) -> Database:
    database = Database(url, max_queued)
    database.write(lambda connection: connection.execute(text("CREATE TABLE t (n INT UNIQUE)")))
    return database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = new_database(database_url)
    yield database
    database.close()


def add(number: int) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        return number

    return job


def add_all(connection: Connection, items: Sequence[int]) -> Sequence[int]:
    connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": item} for item in items])
    return items


def add_alone(connection: Connection, items: Sequence[int]) -> Sequence[int]:
    """Another kind of write, which comes to the same."""
    return add_all(connection, items)


def numbers(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT n FROM t ORDER BY n")).scalars())


def test_a_write_is_committed_when_it_returns(database: Database) -> None:
    assert database.write(add(1)) == 1
    assert numbers(database) == [1]


def test_nothing_is_told_before_the_commit(database: Database) -> None:
    with as_one_group(database):
        future = database.submit(add_all, 1)
        assert not future.done()
        assert numbers(database) == []
    assert (future.result(5), numbers(database)) == (1, [1])


def test_many_writes_share_few_commits(database: Database) -> None:
    before = database.written
    with as_one_group(database):
        futures = [database.submit(add_all, number) for number in range(100)]
        assert database.written.waiting == 100
    assert [future.result(5) for future in futures] == list(range(100))
    assert database.written.jobs - before.jobs == 101
    assert database.written.groups - before.groups == 2
    assert database.written.waiting == 0


def test_a_group_has_a_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUP", 2)
    before = database.written
    with as_one_group(database):
        futures = [database.submit(add_all, number) for number in range(5)]
    assert [future.result(5) for future in futures] == list(range(5))
    assert database.written.groups - before.groups == 4


def test_neighbours_of_one_kind_are_one_batch_and_get_their_own_results(
    database: Database,
) -> None:
    batches: list[list[int]] = []

    def double(_: Connection, items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [2 * item for item in items]

    with as_one_group(database):
        futures = [database.submit(double, number) for number in (1, 2)]
        other = database.submit(lambda connection, items: ["other"], 0)
        futures.append(database.submit(double, 3))
    assert [future.result(5) for future in futures] == [2, 4, 6]
    assert other.result(5) == "other"
    assert batches == [[1, 2], [3]]


@pytest.mark.parametrize("kinds", [(add_all,) * 4, (add_all, add_alone) * 2])
def test_a_bad_row_in_a_group_fails_alone(
    database: Database,
    kinds: Sequence[Callable[[Connection, Sequence[int]], Sequence[int]]],
) -> None:
    with as_one_group(database):
        futures = [
            database.submit(kind, number) for kind, number in zip(kinds, (1, 2, 2, 3), strict=True)
        ]
    assert [futures[index].result(5) for index in (0, 1, 3)] == [1, 2, 3]
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        futures[2].result(5)
    assert numbers(database) == [1, 2, 3]


def test_a_full_queue_refuses_at_once(database_url: str) -> None:
    database = new_database(database_url, max_queued=1)
    with as_one_group(database):
        database.submit(add_all, 1)
        with pytest.raises(StoreUnavailable, match="Too many writes"):
            database.submit(add_all, 2)
    assert database.write(add(3)) == 3
    assert numbers(database) == [1, 3]
    database.close()


def test_writes_that_do_not_all_fit_in_the_queue_are_all_refused(database_url: str) -> None:
    database = new_database(database_url, max_queued=3)
    with as_one_group(database):
        first = database.submit_all(add_all, [1, 2])
        with pytest.raises(StoreUnavailable, match="Too many writes"):
            database.submit_all(add_all, [3, 4])
        assert database.written.waiting == 2
    assert [write.result(5) for write in first] == [1, 2]
    assert database.written.waiting == 0
    assert numbers(database) == [1, 2]
    database.close()


def test_of_writes_that_came_together_one_that_fails_spoils_no_other(database: Database) -> None:
    database.write(add(2))
    with as_one_group(database):
        one, bad, other = database.submit_all(add_all, [1, 2, 3])
    assert (one.result(5), other.result(5)) == (1, 3)
    with pytest.raises(StoreUnavailable):
        bad.result(5)
    assert numbers(database) == [1, 2, 3]


def test_a_write_that_nobody_waits_for_any_more_is_not_done(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "WRITE_TIMEOUT", 0.05)
    with as_one_group(database):
        with pytest.raises(StoreUnavailable, match="in time"):
            database.write(add(1))
        last = database.submit(add_all, 2)
    assert last.result(5) == 2
    assert numbers(database) == [2]


def test_closing_commits_what_is_queued_and_refuses_more(database_url: str) -> None:
    database = new_database(database_url)
    future = database.submit(add_all, 1)
    database.close()
    assert future.result(0) == 1
    with pytest.raises(StoreUnavailable, match="stopping"):
        database.write(add(2))
    with pytest.raises(StoreUnavailable, match="stopping"):
        numbers(database)
    database.close()
    again = Database(database_url)
    assert numbers(again) == [1]
    again.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_closing_leaves_one_file(database_url: str) -> None:
    database = new_database(database_url)
    numbers(database)
    file = Path(database.url.database or "")
    assert len(list(file.parent.glob(f"{file.name}*"))) == 3
    database.close()
    # SQLite folds its log into the file when the last connection is closed.
    assert list(file.parent.glob(f"{file.name}*")) == [file]


def test_closing_what_was_never_written_to_ends_at_once(database_url: str) -> None:
    before = threading.active_count()
    database = Database(database_url)
    assert threading.active_count() == before
    database.close()


def test_an_error_of_the_job_reaches_its_caller_and_nothing_is_stored(database: Database) -> None:
    def job(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (7)"))
        raise KeyError("mine")

    with pytest.raises(KeyError):
        database.write(job)
    assert numbers(database) == []


def test_a_database_error_says_that_nothing_was_stored(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        database.write(lambda connection: connection.execute(text("INSERT INTO no VALUES (1)")))
    with pytest.raises(StoreUnavailable, match="does not answer"), database.read() as connection:
        connection.execute(text("SELECT * FROM no"))


def test_a_write_that_is_given_up_before_its_commit_is_not_stored(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        begun.set()
        assert go_on.wait(10)
        return add_all(connection, items)

    write = database.submit(slow, 1)
    assert begun.wait(5)
    assert write.give_up()
    go_on.set()
    with pytest.raises(StoreUnavailable, match="in time; nothing was stored"):
        write.result(5)
    assert numbers(database) == []


def test_a_write_given_up_takes_none_of_its_group_along(database: Database) -> None:
    with as_one_group(database):
        writes = [database.submit(add_all, number) for number in range(3)]
        assert writes[1].give_up()
    assert [writes[number].result(5) for number in (0, 2)] == [0, 2]
    assert numbers(database) == [0, 2]


def test_a_write_cannot_be_given_up_once_it_is_stored(database: Database) -> None:
    write = database.submit(add_all, 1)
    assert write.result(5) == 1
    assert not write.give_up()


def test_after_a_refused_write_the_database_is_not_ready_until_one_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: Connection) -> None:
        raise OperationalError("UPDATE", {}, Exception("read-only"))

    database.require_writable()
    with pytest.raises(StoreUnavailable):
        database.write(refuse)
    monkeypatch.setattr(module, "_touch", refuse)
    with pytest.raises(StoreUnavailable):
        database.require_writable()
    database.write(add(1))
    database.require_writable()


def test_while_a_write_hangs_the_database_is_not_ready_and_afterwards_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANGS_AFTER", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def hang(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        begun.set()
        assert go_on.wait(10)
        return items

    hanging = database.submit(hang, 1)
    assert begun.wait(5)
    time.sleep(0.1)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        database.require_writable()
    go_on.set()
    assert hanging.result(5) == 1
    time.sleep(0.1)  # idle for longer than a write may hang
    database.require_writable()


def test_after_a_failed_write_the_clock_is_asked_before_the_next_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: Connection) -> None:
        raise OperationalError("UPDATE", {}, Exception("read-only"))

    database.write(add(1))
    asked: list[Connection] = []
    monkeypatch.setattr(database.clock, "ask", asked.append)
    with pytest.raises(StoreUnavailable):
        database.write(refuse)
    before = len(asked)
    database.write(add(2))
    assert len(asked) == before + 1


def test_a_query_that_nobody_read_to_its_end_keeps_no_old_snapshot(database: Database) -> None:
    database.write(lambda connection: add_all(connection, range(5000)))
    held = []
    for number in range(5000, 5003):
        with pytest.raises(KeyError), database.read() as connection:
            found = connection.execute(text("SELECT n FROM t"))
            held.append((found, found.fetchone()))
            raise KeyError
        database.write(add(number))
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM t")).scalar() == number + 1
