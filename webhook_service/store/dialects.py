"""What SQLite and PostgreSQL want differently: URLs, connections, INSERT … ON CONFLICT.

SQLite runs in WAL mode with synchronous=FULL, so that a commit survives a power cut;
PostgreSQL is used through psycopg 3.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from webhook_service.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

BUSY_TIMEOUT = 5.0
STATEMENT_TIMEOUT = 30.0
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # Pages of 4 KiB: each checkpoint flushes twice more, and the commit that meets it waits.
    "wal_autocheckpoint=4000",
    "cache_size=-16000",
)


def parse_url(text: str) -> URL:
    """Read a database URL; ``postgresql://`` means psycopg 3.

    Raises:
        SettingsError: not a URL, or a database that is not supported.
    """
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise SettingsError(
            "WEBHOOK_SERVICE_DATABASE_URL is not a URL; use sqlite:////path/to/file.db "
            "or postgresql://user:password@host/database."
        ) from exc
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise SettingsError("SQLite needs a file: sqlite:////path/to/file.db.")
        return url.set(drivername="sqlite+pysqlite")
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise SettingsError(f"{url.get_backend_name()} is not supported: use sqlite or postgresql.")


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite database; its folder is made."""
    path = Path(url.database or "").expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def open_engine(url: URL, *, readers: bool) -> Engine:
    """An engine for many readers, which cannot write, or for the one writer.

    Raises:
        SettingsError: the database's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, readers)
    return _postgresql_engine(url, readers)


def _sqlite_engine(url: URL, readers: bool) -> Engine:
    engine = create_engine(
        url.set(database=str(sqlite_file(url))),
        poolclass=QueuePool,
        pool_size=8 if readers else 1,
        max_overflow=24 if readers else 0,
        connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if readers:
            connection.execute("PRAGMA query_only=ON")

    if not readers:
        # A transaction that reads before it writes would fail with SQLITE_BUSY otherwise.
        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: URL, readers: bool) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=8 if readers else 1,
            max_overflow=24 if readers else 1,
            pool_pre_ping=readers,
            pool_timeout=BUSY_TIMEOUT,
            paramstyle="format",
            isolation_level="AUTOCOMMIT" if readers else "READ COMMITTED",
            connect_args={
                "connect_timeout": int(BUSY_TIMEOUT),
                "options": f"-c statement_timeout={int(STATEMENT_TIMEOUT * 1000)}",
            },
        )
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "PostgreSQL needs psycopg: pip install 'webhook-service[postgresql]'."
        ) from exc


def insert_into(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that takes ON CONFLICT.

    Only the dialect in use is imported: PostgreSQL's brings drivers that SQLite's users never need.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
