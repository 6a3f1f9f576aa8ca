"""Hot statements: executed by the database's driver itself, without SQLAlchemy's execution.

For text and values that are made for the driver already, that execution would take longer than the
database does. Errors are raised as SQLAlchemy raises them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def execute_hot(connection: Connection, statement: str, values: Sequence[Any]) -> Any:
    """Execute a statement; gives the driver's cursor.

    Args:
        statement: with the driver's own places for values.

    Raises:
        DBAPIError: as from ``Connection.exec_driver_sql``.
    """
    raw: Any = connection.connection.driver_connection
    cursor = raw.cursor()
    try:
        cursor.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error as exc:
        raise _as_sqlalchemy(connection, exc, raw, cursor) from exc
    return cursor


def _as_sqlalchemy(connection: Connection, exc: Any, raw: Any, cursor: Any) -> DBAPIError:
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(exc, raw, cursor)
    if is_lost:
        connection.invalidate(exc)
    found = DBAPIError.instance(
        None,
        None,
        exc,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
    assert isinstance(found, DBAPIError)
    return found
