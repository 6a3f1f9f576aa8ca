"""Connections: many readers, and one writer thread for every write (see ``writer``).

SQLite runs in WAL mode with synchronous=FULL, so that a commit survives a power cut;
PostgreSQL is used through psycopg 3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from webhook_service.errors import SettingsError, StoreUnavailable
from webhook_service.model.backlog import Written
from webhook_service.store.writer import Batch, ItemT, Writer

BUSY_TIMEOUT = 5.0
STATEMENT_TIMEOUT = 30.0
T = TypeVar("T")
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # Pages of 4 KiB: each checkpoint flushes twice more, and the commit that meets it waits.
    "wal_autocheckpoint=4000",
    "cache_size=-16000",
)


class Database:
    """One database: reads on the caller's thread, writes through the writer.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.

    Raises:
        SettingsError: the URL cannot be used here.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self._readers = self._engine(readers=True)
        self._writers = self._engine(readers=False)
        self._writer = Writer(self._writers)
        self._closed = False

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def dialect(self) -> Dialect:
        return self._writers.dialect

    @property
    def written(self) -> Written:
        """What the writer has to do, and has done."""
        return self._writer.written

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries; each one sees what is committed when it runs.

        Raises:
            StoreUnavailable: the database does not answer, or is closed.
        """
        if self._closed:
            raise StoreUnavailable("The service is stopping.")
        try:
            with self._readers.connect() as connection:
                yield connection
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database does not answer; nothing was changed.") from exc

    def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction of the writer and return its result after the commit.

        Args:
            job: may run more than once, each time in a transaction of its own.

        Raises:
            StoreUnavailable: it was not committed.
        """
        return self._writer.run(job)

    def submit(self, batch: Batch[ItemT, T], item: ItemT) -> Future[T]:
        """Begin a write that is done together with others of its kind.

        Args:
            batch: writes some items in a transaction; may run more than once, as ``write``'s job.

        Raises:
            StoreUnavailable: too many writes are waiting; the future may also raise it.
        """
        return self._writer.submit_to(batch, item)

    def connect_for_migration(self) -> Connection:
        """A connection with a transaction begun, outside the writer's queue."""
        try:
            return self._writers.connect()
        except SQLAlchemyError as exc:
            raise StoreUnavailable(f"The database at {self.url!r} does not answer.") from exc

    def close(self) -> None:
        """Finish the queued writes and close all connections."""
        self._closed = True
        self._writer.close()
        self._readers.dispose()
        self._writers.dispose()

    def _engine(self, *, readers: bool) -> Engine:
        if not self.is_sqlite:
            return _postgresql_engine(self.url, readers)
        return _sqlite_engine(self.url, readers)


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
