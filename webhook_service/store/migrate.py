"""Bringing a database to the schema that this version needs."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

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


# Hosts of 0.1.0 that go on beside newer ones do not say when an execution changed its target.
_DATE_CHANGES = text(
    "UPDATE executions SET changed = coalesce(finished, created) WHERE changed IS NULL AND "
    "(state = 'succeeded' OR CAST(changes AS TEXT) NOT IN ('[]', 'null'))"
)


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

    Several processes may call it at once. The indexes of PostgreSQL's large tables come last.

    Args:
        tell: is called with each revision that is reached; all are committed together.
    """
    with _migrating(database) as connection:
        _alembic(connection, "upgrade", revision, tell)
        for name in _misnumbered(connection):
            connection.execute(_SET_SEQUENCE[name])
        if revision == "head":
            connection.execute(_DATE_CHANGES)
    if revision == "head":
        unlocked_indexes.build(database)
    if database.is_sqlite:
        checkpoint(sqlite_file(database.url))


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
    if found is not None and found > HEAD:
        raise SettingsError(
            f"The database is at {found}, newer than this version's {HEAD}: use the version that "
            "updated it, or restore a backup from before."
        )
    if not database.is_sqlite:
        raise SettingsError(
            f"The database is at {found or 'no revision'}, this version needs {HEAD}: "
            "run 'webhook-service migrate' first."
        )
    upgrade(database)


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
        raise StoreUnavailable("The database was not migrated; nothing was changed.") from exc


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
