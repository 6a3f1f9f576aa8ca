"""Bulk inserts: many rows by one statement, past SQLAlchemy's conversion of every value.

Every call on the endpoint comes through here, while the event loop wants the interpreter too.
Python's threads change places at each statement that is executed, so one statement for each row
would wait for the loop as often as there are rows. SQLAlchemy's ways to one statement for many are
``values([…])``, which is compiled anew each time, and ``insertmanyvalues``, for rows that are to be
returned; both convert each value in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from webhook_service.store.database.dialects import insert_into
from webhook_service.store.database.hot import execute_hot

MAX_ROWS = 64
Row = Mapping[str, Any]
"""By column, and as the database's driver takes it: moments as microseconds, JSON as text."""


class BulkInsert:
    """An INSERT of rows that all have the same columns, compiled once.

    Args:
        dialect: with positional parameters.
        unique: columns of a constraint; a row that would break it is left out.
    """

    def __init__(
        self,
        dialect: Dialect,
        table: Table,
        columns: Sequence[str],
        unique: Sequence[str] | None = None,
    ) -> None:
        statement = insert_into(dialect.name, table).inline()
        if unique is not None:
            statement = statement.on_conflict_do_nothing(index_elements=unique)
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))
        # SQLAlchemy writes the statement for one row; VALUES of many rows are that row's text again
        # and again. It has no public way to ask for the parts, so its text is cut: in an INSERT of
        # plain columns " VALUES " stands once, before the row, and " ON CONFLICT " once after it.
        self._in_order = itemgetter(*(compiled.positiontup or ()))
        self._into, _, values = str(compiled).partition(" VALUES ")
        self._row, self._on, self._conflict = values.partition(" ON CONFLICT ")

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert rows in their order; gives how many were not left out.

        Raises:
            IntegrityError: another constraint of the table forbids one of them.
        """
        return sum(self._insert(connection, part) for part in _parts(rows))

    def _insert(self, connection: Connection, rows: Sequence[Row]) -> int:
        places = ", ".join([self._row] * len(rows))
        values = tuple(chain.from_iterable(map(self._in_order, rows)))
        statement = f"{self._into} VALUES {places}{self._on}{self._conflict}"
        added: int = execute_hot(connection, statement, values).rowcount
        return added


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Parts of 64, 32, 16 … rows: few sizes, so that the database's driver knows each statement."""
    while rows:
        size = min(MAX_ROWS, 1 << len(rows).bit_length() - 1)
        yield rows[:size]
        rows = rows[size:]
