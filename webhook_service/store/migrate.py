"""Bringing a database to the schema that this version needs."""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, TextClause, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from webhook_service.errors import SettingsError, StoreUnavailable
from webhook_service.store import unlocked_indexes
from webhook_service.store.backup.sqlite_copy import checkpoint
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import sqlite_file

HEAD = "0014"
_MIGRATIONS = "webhook_service.migrations"
_LOCK = 7_304_115_208
_SEQUENCE = "pg_get_serial_sequence('{name}', 'seq')"
_NUMBERED = ("deliveries", "executions")
# A sequence says of itself alone what it gave last: nothing, if no row was ever numbered.
_IS_BEHIND = {
    name: text(
        "SELECT coalesce(max(seq), 0) > "
        f"coalesce(pg_sequence_last_value({_SEQUENCE.format(name=name)}), 0) FROM {name}"
    )
    for name in _NUMBERED
}
_SET_SEQUENCE = {
    name: text(f"SELECT setval({_SEQUENCE.format(name=name)}, (SELECT max(seq) FROM {name}))")
    for name in _NUMBERED
}
# What hosts of 0.1.0 leave, also those that go on beside newer ones: they do not say when an
# execution changed its target, or that a call was ignored because it reported nothing.
_LEFT = {
    "executions": "changed = coalesce(finished, created) WHERE changed IS NULL AND "
    "(state = 'succeeded' OR CAST(changes AS TEXT) NOT IN ('[]', 'null'))",
    "deliveries": "reason = 'empty' WHERE reason IS NULL AND state = 'ignored'",
}
# Numbers of one transaction, so that hosts need not wait long for a row.
_BATCH = 5000
# A migration waits for tables that somebody uses, and whoever comes later waits behind it: so it
# gives way after some seconds, and tries again.
_LOCK_WAIT = 3.0
_PAUSE = 1.0
_TRIES = 10


def current_revision(database: Database) -> str | None:
    """The revision a database is at; None for an empty one."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version"))
        return found.scalar_one_or_none()


def upgrade(
    database: Database, revision: str = "head", tell: Callable[[str], None] | None = None
) -> None:
    """Run the migrations that are missing, and mend what older hosts left since the last time.

    Several processes may call it at once. What takes long on PostgreSQL's large tables comes last,
    beside hosts that write: indexes, and values of old rows.

    Args:
        tell: is called with each revision that is reached; all are committed together.

    Raises:
        StoreUnavailable: the database does not answer, or somebody uses its tables for long.
    """
    for left in reversed(range(_TRIES)):
        try:
            _upgrade(database, revision, tell)
            break
        except StoreUnavailable as exc:
            if not (_is_locked(exc.__cause__) and left):
                raise
            time.sleep(_PAUSE)
    if revision == "head":
        _fill_in(database)
        unlocked_indexes.build(database)
    if database.is_sqlite:
        checkpoint(sqlite_file(database.url))


def _upgrade(database: Database, revision: str, tell: Callable[[str], None] | None) -> None:
    with _migrating(database) as connection:
        _alembic(connection, "upgrade", revision, tell)
        for name in _misnumbered(connection):
            connection.execute(_SET_SEQUENCE[name])


def _fill_in(database: Database) -> None:
    """Give old rows the values that newer hosts give theirs, a few at a time."""
    for name, change in _LEFT.items():
        with database.read() as connection:
            ends = f"SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM {name}"
            first, last = connection.execute(text(ends)).one()
        statement = text(f"UPDATE {name} SET {change} AND seq BETWEEN :first AND :last")
        for number in range(first, last + 1, _BATCH):
            numbers = {"first": number, "last": number + _BATCH - 1}
            database.write(partial(_execute, statement, numbers))


def _execute(statement: TextClause, values: Mapping[str, int], connection: Connection) -> None:
    connection.execute(statement, values)


def downgrade(database: Database, revision: str) -> None:
    """Undo migrations down to a revision; ``base`` undoes them all."""
    with _migrating(database) as connection:
        _alembic(connection, "downgrade", revision)


def require_current(database: Database) -> None:
    """Make sure that the schema fits; an embedded SQLite database is brought up to date.

    Raises:
        SettingsError: a PostgreSQL database that is behind, or one from a newer version.
    """
    found = current_revision(database)
    if found == HEAD:
        return
    if is_newer(found):
        raise SettingsError(
            f"The database is at {found}, newer than this version's {HEAD}: {remedy(found)}."
        )
    if not database.is_sqlite:
        raise SettingsError(
            f"The database is at {found or 'no revision'}, this version needs {HEAD}: "
            f"{remedy(found)} first."
        )
    upgrade(database)


def is_newer(revision: str | None) -> bool:
    """Whether a later version made the schema; revisions are numbers."""
    return revision is not None and revision > HEAD


def remedy(revision: str | None) -> str:
    """What people have to do about a schema that does not fit; a migration cannot go back."""
    if is_newer(revision):
        return "use the version that updated it, or restore a backup from before"
    return "run 'webhook-service migrate'"


def misnumbered(database: Database) -> list[str]:
    """The tables whose next row would get a number that is taken.

    Rows that were copied without their sequences leave PostgreSQL's behind.
    """
    with database.read() as connection:
        return _misnumbered(connection)


def _misnumbered(connection: Connection) -> list[str]:
    if connection.dialect.name != "postgresql":
        return []
    return [name for name, query in _IS_BEHIND.items() if connection.execute(query).scalar_one()]


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """One transaction for all: what fails has changed nothing."""
    try:
        with database.connect_for_migration() as connection, connection.begin():
            _lock(connection)
            yield connection
    except SQLAlchemyError as exc:
        said = "The database was not migrated; nothing was changed."
        if _is_locked(exc):
            said += (
                " Somebody uses its tables for long, such as pg_dump or a transaction that was "
                "left open: run 'webhook-service migrate' again after it."
            )
        raise StoreUnavailable(said) from exc


def _is_locked(exc: BaseException | None) -> bool:
    """Whether PostgreSQL gave up waiting for a lock: lock_not_available."""
    return isinstance(exc, DBAPIError) and getattr(exc.orig, "sqlstate", None) == "55P03"


def _alembic(
    connection: Connection, command: str, revision: str, tell: Callable[[str], None] | None = None
) -> None:
    # Alembic takes a third of a second to import, and a current database does not need it.
    try:
        import alembic.command
        from alembic.config import Config
    except Exception as exc:
        # It reads the entry points of every distribution when it is imported.
        raise SettingsError(
            f"Alembic cannot be loaded ({type(exc).__name__}), and the database is not up to date: "
            "a distribution of this Python is broken. `webhook-service driver list` names it."
        ) from exc

    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files(_MIGRATIONS)))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["tell"] = tell
    getattr(alembic.command, command)(config, revision)


def _lock(connection: Connection) -> None:
    """One migration at a time; SQLite's write transaction does the same by itself."""
    if connection.dialect.name == "postgresql":
        # A migration takes as long as it needs.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = {int(_LOCK_WAIT * 1000)}"))
