"""Hot statements behave as SQLAlchemy's own: the same rows, the same errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tests.servers.postgres import Postgres
from webhook_service.store.database.database import Database
from webhook_service.store.database.hot import execute_hot


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.write(lambda connection: connection.execute(text("CREATE TABLE t (n INT UNIQUE)")))
    yield database
    database.close()


def put(connection: Connection, *numbers: int) -> int:
    place = "(?)" if connection.dialect.name == "sqlite" else "(%s)"
    places = ", ".join([place] * len(numbers))
    found: int = execute_hot(connection, f"INSERT INTO t VALUES {places}", numbers).rowcount
    return found


def test_it_is_part_of_the_transaction_around_it(database: Database) -> None:
    assert database.write(lambda connection: put(connection, 1, 2)) == 2

    def fails(connection: Connection) -> None:
        put(connection, 3)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fails)
    with database.read() as connection:
        assert connection.execute(text("SELECT n FROM t ORDER BY n")).scalars().all() == [1, 2]


def test_a_broken_constraint_is_the_error_that_sqlalchemy_raises(database: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        database.write(lambda connection: put(connection, 1, 1))
    assert not caught.value.connection_invalidated
    assert database.write(lambda connection: put(connection, 1)) == 1


@pytest.mark.postgres
def test_a_connection_that_is_gone_is_known_as_such_and_replaced(postgres: Postgres) -> None:
    database = Database(postgres.new_database())
    database.write(lambda connection: connection.execute(text("CREATE TABLE t (n INT UNIQUE)")))
    lost: list[int] = []

    def after_its_end(connection: Connection) -> int:
        if not lost:
            raw: Any = connection.connection.driver_connection
            lost.append(raw.info.backend_pid)
            with database.read() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({lost[0]})")
        return put(connection, 1)

    assert database.write(after_its_end) == 1
    assert lost
    database.close()
