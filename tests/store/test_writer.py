import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import IntegrityError

from webhook_service.errors import StoreUnavailable
from webhook_service.store.writer import Writer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'w.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine)
    yield writer
    writer.close()


def add(number: int) -> "object":
    def job(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        return number

    return job


def numbers(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT n FROM t ORDER BY n")).scalars())


def test_a_write_is_committed_when_run_returns(writer: Writer, engine: Engine) -> None:
    assert writer.run(add(1)) == 1  # type: ignore[arg-type]
    assert numbers(engine) == [1]


def test_a_bad_row_in_a_group_fails_alone(writer: Writer, engine: Engine) -> None:
    gate = threading.Event()
    blocked = writer.submit(lambda connection: gate.wait(5))
    time.sleep(0.05)
    futures = [writer.submit(add(number)) for number in (1, 2, 2, 3)]  # type: ignore[arg-type]
    gate.set()
    assert blocked.result(5)
    assert [futures[index].result(5) for index in (0, 1, 3)] == [1, 2, 3]
    with pytest.raises(IntegrityError):
        futures[2].result(5)
    assert numbers(engine) == [1, 2, 3]


def test_many_writers_share_few_commits(writer: Writer, engine: Engine) -> None:
    commits: list[int] = []
    from sqlalchemy import event

    event.listen(engine, "commit", lambda connection: commits.append(1))
    gate = threading.Event()
    writer.submit(lambda connection: gate.wait(5))
    futures = [writer.submit(add(number)) for number in range(100)]  # type: ignore[arg-type]
    gate.set()
    assert [future.result(5) for future in futures] == list(range(100))
    assert len(commits) < 10


def test_a_full_queue_refuses_at_once(engine: Engine) -> None:
    writer = Writer(engine, max_queued=1)
    gate = threading.Event()
    writer.submit(lambda connection: gate.wait(5))
    time.sleep(0.05)
    writer.submit(add(1))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable, match="Too many writes"):
        writer.submit(add(2))  # type: ignore[arg-type]
    gate.set()
    writer.close()
    assert numbers(engine) == [1]


def test_closing_commits_what_is_queued_and_refuses_more(engine: Engine) -> None:
    writer = Writer(engine)
    future = writer.submit(add(1))  # type: ignore[arg-type]
    writer.close()
    assert future.result(0) == 1
    with pytest.raises(StoreUnavailable, match="stopping"):
        writer.run(add(2))  # type: ignore[arg-type]
    writer.close()


def test_an_error_of_the_job_reaches_its_caller_and_nothing_is_stored(
    writer: Writer, engine: Engine
) -> None:
    def job(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (7)"))
        raise KeyError("mine")

    with pytest.raises(KeyError):
        writer.run(job)
    assert numbers(engine) == []


def test_a_database_error_says_that_nothing_was_stored(writer: Writer) -> None:
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        writer.run(lambda connection: connection.execute(text("INSERT INTO nowhere VALUES (1)")))


def test_neighbours_of_one_kind_are_one_batch_and_get_their_own_results(writer: Writer) -> None:
    batches: list[list[int]] = []

    def double(_: Connection, items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [2 * item for item in items]

    gate = threading.Event()
    writer.submit(lambda connection: gate.wait(5))
    futures = [writer.submit_to(double, number) for number in (1, 2)]
    other = writer.submit(lambda connection: "other")
    futures.append(writer.submit_to(double, 3))
    gate.set()
    assert [future.result(5) for future in futures] == [2, 4, 6]
    assert other.result(5) == "other"
    assert [item for batch in batches for item in batch] == [1, 2, 3]
    assert max(map(len, batches)) == 2


def test_a_bad_item_of_a_batch_fails_alone(writer: Writer, engine: Engine) -> None:
    def insert(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": item} for item in items])
        return items

    gate = threading.Event()
    writer.submit(lambda connection: gate.wait(5))
    futures = [writer.submit_to(insert, number) for number in (1, 2, 2, 3)]
    gate.set()
    assert [futures[index].result(5) for index in (0, 1, 3)] == [1, 2, 3]
    with pytest.raises(IntegrityError):
        futures[2].result(5)
    assert numbers(engine) == [1, 2, 3]
