"""Chores in SQL: what has to be done now and then, by one host at a time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import insert_into
from webhook_service.store.tables import chores


class ChoreStore:
    """Hands a chore to one host until its lease ends, with the place where it stopped."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, names: Collection[str]) -> list[str]:
        """Those of the chores that are due, or were never done."""
        query = select(chores.c.name, chores.c.due).where(chores.c.name.in_(names))
        with self._database.read() as connection:
            due = {row.name: row.due for row in connection.execute(query)}
        now = self._database.now()
        return [name for name in names if name not in due or due[name] <= now]

    def take(self, name: str, lease: float) -> str | None:
        """Take a chore for so many seconds; its cursor, or None if it is not due."""

        def job(connection: Connection) -> Any:
            now = self._database.now()
            connection.execute(
                insert_into(connection.dialect.name, chores)
                .values(name=name, due=now, cursor="")
                .on_conflict_do_nothing()
            )
            return connection.execute(
                update(chores)
                .where(chores.c.name == name, chores.c.due <= now)
                .values(due=now + timedelta(seconds=lease))
                .returning(chores.c.cursor)
            ).scalar_one_or_none()

        cursor: str | None = self._database.write(job)
        return cursor

    def put_back(self, name: str, cursor: str, seconds: float) -> None:
        """Note where a chore stands, and keep others off it for so many seconds."""
        due = self._database.now() + timedelta(seconds=seconds)
        statement = update(chores).where(chores.c.name == name).values(due=due, cursor=cursor)
        self._database.write(lambda connection: connection.execute(statement))
