import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.support import sqlite_url
from webhook_service.errors import StoreUnavailable
from webhook_service.store.database.database import Database


def fail(connection: object) -> None:
    raise OperationalError("a statement", {}, sqlite3.OperationalError("disk I/O error"))


def test_after_a_failure_no_connection_from_before_is_used(database_url: str) -> None:
    database = Database(database_url)
    with database.read() as before:
        old = before.connection.driver_connection
        with pytest.raises(StoreUnavailable):
            database.write(fail)
        assert before.execute(text("SELECT 1")).scalar_one() == 1  # its user goes on
    with database.read() as after:
        assert after.connection.driver_connection is not old
        assert after.execute(text("SELECT 1")).scalar_one() == 1
    assert database.write(lambda connection: connection.execute(text("SELECT 2")).scalar_one()) == 2
    database.close()


def test_a_connection_that_was_in_use_then_is_closed_and_not_forgotten(tmp_path: object) -> None:
    database = Database(sqlite_url(tmp_path))  # type: ignore[arg-type]
    with database.read() as before:
        old = before.connection.driver_connection
        assert isinstance(old, sqlite3.Connection)
        with pytest.raises(StoreUnavailable):
            database.write(fail)
    with database.read():
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            old.execute("SELECT 1")
    database.close()
