"""Indexes of large tables on PostgreSQL: built while hosts go on to write.

`CREATE INDEX` keeps writers out until it is done, which takes minutes on a large table. Built
concurrently it lets them write, but cannot be a part of a migration's transaction. So these come
after the migrations, and whenever one is missing or was left half made.

https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex

from webhook_service.errors import StoreUnavailable
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import is_lent

log = logging.getLogger("webhook_service.store.migrate")

NAMES = (
    "ix_executions_open",
    "ix_executions_receiver_changed",
    "ix_executions_slot_changed",
    "ix_deliveries_refused",
    "ix_deliveries_state_project_seq",
    "ix_deliveries_reason",
    "ix_executions_receiver_seq",
    "ix_executions_state_project_seq",
    "ix_executions_driver_project_seq",
    "ix_executions_reason",
    "ix_executions_image",
    "ix_audit_subject_id",
    "ix_audit_actor_project_id",
    "ix_audit_action_project_id",
    "ix_audit_via_project_id",
)
# What a broken attempt left is there, but nobody reads it, and every write pays for it.
_FOUND = text(
    "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
    "WHERE relname = ANY(:names) AND pg_table_is_visible(indexrelid)"
)
# One process at a time: what another one has half made is not ours to drop. It is asked again and
# again, because a statement that waited for the lock would be what the build waits for.
_LOCK = text("SELECT pg_try_advisory_lock(7304115209)")
# A pooler that lends would keep a session's lock: there it has to do to see nobody build.
_NOBODY = text(
    "SELECT count(*) = 0 FROM pg_stat_progress_create_index WHERE datname = current_database()"
)
_ROWS = text(
    "SELECT coalesce(sum(greatest(reltuples, 0)), 0) FROM pg_class WHERE oid IN "
    "('deliveries'::regclass, 'executions'::regclass, 'audit'::regclass)"
)
# Fewer are built before anybody would look.
_MANY = 250_000
_PAUSE = 0.5


def unbuilt(database: Database) -> list[str]:
    """The names of those that are missing or half made."""
    if database.is_sqlite:
        return []
    with database.read() as connection:
        return _unbuilt(connection)


def build(database: Database) -> None:
    """Build those that are missing or half made; a second process waits for the first.

    Raises:
        StoreUnavailable: not all are there; what was built stays.
    """
    if database.is_sqlite:  # its migrations build them: one process writes there anyway
        return
    ask = _NOBODY if is_lent(database.url) else _LOCK
    try:
        with _outside_transactions(database) as connection:
            begun = time.monotonic()
            many = bool(names := _unbuilt(connection)) and _announce(connection, names)
            while names := _unbuilt(connection):
                if connection.execute(ask).scalar_one():
                    _build(connection, names[0])
                else:
                    time.sleep(_PAUSE)
            if many:
                seconds = time.monotonic() - begun
                log.warning("The indexes are built; it took %.0f s.", seconds)
    except SQLAlchemyError as exc:
        raise StoreUnavailable(
            "The schema is current, but not all indexes are built: run 'webhook-service migrate' "
            "again. Hosts can start; what would use the indexes is slower."
        ) from exc


def _unbuilt(connection: Connection) -> list[str]:
    found = {name: valid for name, valid in connection.execute(_FOUND, {"names": list(NAMES)})}
    return [name for name in NAMES if not found.get(name)]


def _build(connection: Connection, name: str) -> None:
    # Loaded here: it brings SQLAlchemy's whole PostgreSQL dialect.
    from webhook_service.store.indexes import metadata

    (index,) = (
        each for table in metadata.tables.values() for each in table.indexes if each.name == name
    )
    statement = str(CreateIndex(index).compile(dialect=connection.dialect))
    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    connection.exec_driver_sql(statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1))


def _announce(connection: Connection, names: list[str]) -> bool:
    """Say what is to be built if it takes long; whether it does."""
    rows = connection.execute(_ROWS).scalar_one()
    if rows < _MANY:
        return False
    log.warning(
        "Building %d indexes over about %d rows. That takes a while, in which hosts "
        "go on to take calls.",
        *(len(names), rows),
    )
    return True


@contextmanager
def _outside_transactions(database: Database) -> Iterator[Connection]:
    with database.connect_for_migration() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        # Closed at the end, not pooled: the next user's statements are to have their limit.
        connection.detach()
        if not is_lent(database.url):
            connection.exec_driver_sql("SET statement_timeout = 0")
        yield connection
