"""A connection that hangs is broken, and the next one is another."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.servers.postgres import Postgres
from tests.support import sqlite_url
from webhook_service.errors import StoreUnavailable
from webhook_service.store.database import database as module
from webhook_service.store.database import watchdog
from webhook_service.store.database.database import Database

# Counts to a number that takes minutes.
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
    "SELECT count(*) FROM n"
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_TIMEOUT", 1.0)
    monkeypatch.setattr(module, "READ_TIMEOUT", 1.0)
    monkeypatch.setattr(module, "PING_TIMEOUT", 1.0)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.1)


def one(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


def test_a_statement_of_sqlite_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    with pytest.raises(StoreUnavailable):
        database.write(lambda connection: connection.exec_driver_sql(ENDLESS).scalar_one())
    with pytest.raises(StoreUnavailable), database.read() as connection:
        connection.exec_driver_sql(ENDLESS).scalar_one()
    assert database.write(one) == 1
    database.close()


@pytest.fixture
def frozen(postgres: Postgres) -> Iterator[tuple[Database, Callable[[], None]]]:
    """A database, and how the server's processes of its connections freeze."""
    database = Database(postgres.new_database())
    stopped: list[int] = []

    def freeze() -> None:
        name = database.url.database
        found = postgres.ask(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'")
        stopped.extend(pid for (pid,) in found)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

    yield database, freeze
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    database.close()


def test_a_write_to_a_server_that_froze_ends_and_the_next_one_is_stored(frozen: Any) -> None:
    database, freeze = frozen
    assert database.write(one) == 1
    freeze()
    # The write is tried once more, on a new connection: nothing had been sent to COMMIT.
    assert database.write(one) == 1


def test_a_commit_to_a_server_that_froze_ends_and_says_that_it_may_be_stored(frozen: Any) -> None:
    database, freeze = frozen

    def job(connection: Connection) -> None:
        one(connection)
        freeze()

    with pytest.raises(StoreUnavailable, match="send it again to be sure"):
        database.write(job)
    assert database.write(one) == 1


def test_no_reader_gets_a_connection_whose_server_froze(frozen: Any) -> None:
    database, freeze = frozen
    with database.read() as first, database.read() as second:
        assert one(first) == one(second) == 1
    freeze()
    for _ in range(3):
        with database.read() as connection:
            assert one(connection) == 1


def test_a_read_from_a_server_that_froze_ends(frozen: Any) -> None:
    database, freeze = frozen
    with database.read() as connection:
        freeze()
        with pytest.raises(Exception, match="."):
            one(connection)
    with database.read() as connection:
        assert one(connection) == 1


def test_closing_does_not_wait_for_a_server_that_froze(
    frozen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, freeze = frozen
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.2)
    database.write(one)
    begun, go_on = threading.Event(), threading.Event()

    def job(connection: Connection) -> int:
        begun.set()
        go_on.wait(10)
        return one(connection)

    write = database.submit(lambda connection, jobs: [job(connection) for _ in jobs], None)
    assert begun.wait(5)
    freeze()
    go_on.set()
    before = time.monotonic()
    database.close()
    assert time.monotonic() - before < 10
    assert write.done()
