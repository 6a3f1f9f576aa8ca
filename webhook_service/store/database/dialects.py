"""What SQLite and PostgreSQL want differently: URLs, connections, INSERT … ON CONFLICT.

SQLite runs in WAL mode with synchronous=FULL, so that a commit survives a power cut;
PostgreSQL is used through psycopg 3, directly or behind a pooler such as pgbouncer. What a URL says
about a connection counts before what is set here.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from webhook_service.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

BUSY_TIMEOUT = 5.0
# Shorter than callers wait for a write: it fails before they are told so.
STATEMENT_TIMEOUT = 10.0
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_CONNECT = {
    "connect_timeout": 5,
    # After a failover the old server may still answer, and takes no writes.
    "target_session_attrs": "read-write",
    # A peer that has gone without a word is noticed in a minute, not in hours.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# The URL's word for a pooler that lends a server's connection for one transaction at a time.
_POOLER = "pooler"
_SEVERAL_HOSTS = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^@/]*)@)?(?P<hosts>[^@/?]*,[^@/?]*)(?P<rest>[/?].*)?"
)
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
        url = make_url(_with_hosts_apart(text))
    except (ArgumentError, ValueError) as exc:
        raise SettingsError(
            "WEBHOOK_SERVICE_DATABASE_URL is not a URL; use sqlite:////path/to/file.db "
            "or postgresql://user:password@host/database."
        ) from exc
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise SettingsError("SQLite needs a file: sqlite:////path/to/file.db.")
        return url.set(drivername="sqlite+pysqlite")
    if url.get_backend_name() in ("postgresql", "postgres"):
        if url.query.get(_POOLER, "transaction") != "transaction":
            raise SettingsError(
                "WEBHOOK_SERVICE_DATABASE_URL: pooler may only be transaction; leave it out where "
                "the pooler gives each client a connection of its own (session mode)."
            )
        return url.set(drivername="postgresql+psycopg")
    raise SettingsError(f"{url.get_backend_name()} is not supported: use sqlite or postgresql.")


def _with_hosts_apart(text: str) -> str:
    """A URL of several hosts, as libpq writes it, in the words of SQLAlchemy.

    https://docs.sqlalchemy.org/en/20/dialects/postgresql.html#specifying-multiple-fallback-hosts
    """
    found = _SEVERAL_HOSTS.fullmatch(text)
    if found is None:
        return text
    user = f"{found['user']}@" if found["user"] else ""
    path, _, query = (found["rest"] or "/").partition("?")
    hosts = "&".join(f"host={host}" for host in found["hosts"].split(","))
    return f"{found['scheme']}://{user}{path}?{hosts}{'&' if query else ''}{query}"


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite database; its folder is made.

    Raises:
        SettingsError: the folder cannot be made.
    """
    path = Path(url.database or "").expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _unusable(path, exc) from exc
    return path


def _unusable(file: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"The database {file} cannot be opened ({error.strerror}). Name another file in "
        "WEBHOOK_SERVICE_DATABASE_URL, or let the user of this process read and write this one and "
        "its folder."
    )


def sqlite_files(url: URL) -> list[Path]:
    """The file of a SQLite database, and those that SQLite keeps beside it."""
    path = sqlite_file(url)
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]


def make_sqlite_file(url: URL) -> Path:
    """The file of a SQLite database. A missing one is made, readable by its owner only.

    SQLite gives the files beside it the same mode: https://www.sqlite.org/src/file/src/os_unix.c.

    Raises:
        SettingsError: it cannot be read and written.
    """
    path = sqlite_file(url)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as exc:
        raise _unusable(path, exc) from exc
    return path


def identity(file: Path | None) -> tuple[int, int] | None:
    """Which file the path leads to now; None: to none, or the database is no file."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_engine(url: URL, *, readers: bool) -> Engine:
    """An engine for many readers, which cannot write, or for the one writer.

    Raises:
        SettingsError: the database's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, readers)
    return _postgresql_engine(url, readers)


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Move all that the ``-wal`` file holds into the database.

    https://www.sqlite.org/pragma.html#pragma_wal_checkpoint

    Returns:
        Whether all was moved; not while queries run that began before it.
    """
    connection.execute("PRAGMA busy_timeout=500")
    try:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT * 1000)}")
    return not is_busy


class _Reading(sqlite3.Connection):
    """A connection that can end the queries that nobody read to their end.

    Such a query keeps its snapshot: whoever read by the connection next would see the database as
    it was then, for ever. Python resets no statements at a rollback since 3.11.
    https://www.sqlite.org/isolation.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open = WeakSet[sqlite3.Cursor]()

    def cursor(self, factory: Any = None) -> Any:
        made = super().cursor() if factory is None else super().cursor(factory)
        self._open.add(made)
        return made

    def end_queries(self) -> None:
        while self._open:
            self._open.pop().close()


def _sqlite_engine(url: URL, readers: bool) -> Engine:
    # Once it was made here, a missing file is a fault: SQLite would make an empty one.
    # https://www.sqlite.org/uri.html
    file = make_sqlite_file(url).as_uri()
    engine = create_engine(
        url.set(database=file).update_query_dict({"uri": "true", "mode": "rw"}),
        poolclass=QueuePool,
        pool_size=8 if readers else 1,
        # The writer keeps its connection; a migration has another.
        max_overflow=24 if readers else 1,
        hide_parameters=True,
        connect_args={
            "timeout": BUSY_TIMEOUT,
            "check_same_thread": False,
            "factory": _Reading if readers else sqlite3.Connection,
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        # The writer's INSERTs of many rows keep a journal of the statement beside that of the
        # transaction, in a file that is made and removed each time.
        connection.execute(f"PRAGMA {'query_only=ON' if readers else 'temp_store=MEMORY'}")

    if readers:

        @event.listens_for(engine, "checkin")
        def _end_queries(connection: _Reading | None, _: Any) -> None:
            if connection is not None:  # none is left of one that was broken
                connection.end_queries()

    else:
        # A transaction that reads before it writes would fail with SQLITE_BUSY otherwise.
        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: URL, readers: bool) -> Engine:
    lent = is_lent(url)
    try:
        engine = create_engine(
            url.difference_update_query([_POOLER, "prepare_threshold"]),
            pool_size=8 if readers else 1,
            max_overflow=24 if readers else 1,
            pool_timeout=BUSY_TIMEOUT,
            paramstyle="format",
            isolation_level="AUTOCOMMIT" if readers and not lent else "READ COMMITTED",
            hide_parameters=True,
            connect_args={
                **{name: value for name, value in _CONNECT.items() if name not in url.query},
                **_prepared(url),
            },
        )
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "PostgreSQL needs psycopg: pip install 'webhook-service[postgresql]'."
        ) from exc
    _limit_statements(engine, url, lent)
    return engine


def took_too_long(exc: BaseException | None) -> bool:
    """Whether a statement failed because it was ended: by the server's limit, or the watchdog.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    orig = getattr(exc, "orig", None)
    ended = getattr(orig, "sqlite_errorname", None) == "SQLITE_INTERRUPT"
    return ended or getattr(orig, "sqlstate", None) == "57014"


def is_lent(url: URL) -> bool:
    """Whether the URL says that a pooler lends connections."""
    return _POOLER in url.query


def lends(readers: Engine) -> bool:
    """Whether a pooler gives a connection of the server to another client between statements."""
    with readers.connect() as first:
        raw: Any = first.connection.driver_connection
        pid = first.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        if pid == raw.info.backend_pid:
            return False  # nobody is in between: the server itself gave this number
        with readers.connect() as second:
            # A pooler that lends gives away what was used last, and is free now.
            second.exec_driver_sql("BEGIN")
            other = second.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            again = first.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            second.exec_driver_sql("ROLLBACK")
        return bool(other == pid or again != pid)


def _prepared(url: URL) -> dict[str, int | None]:
    """After how many uses psycopg prepares a statement; None: never.

    Behind a pooler that lends connections, a prepared name may be another client's statement.
    """
    said = url.query.get("prepare_threshold")
    if said is None:
        return {"prepare_threshold": None} if is_lent(url) else {}
    if not isinstance(said, str) or not (said == "none" or said.isdecimal()):
        raise SettingsError(
            "WEBHOOK_SERVICE_DATABASE_URL: prepare_threshold must be a number or none."
        )
    return {"prepare_threshold": None if said == "none" else int(said)}


def _limit_statements(engine: Engine, url: URL, lent: bool) -> None:
    """Bound each statement. Poolers refuse start-up options, so a statement of our own says it."""
    milliseconds = int(STATEMENT_TIMEOUT * 1000)
    own = "statement_timeout" in str(url.query.get("options", ""))

    @event.listens_for(engine, "connect", insert=True)
    def _prepare(connection: Any, _: Any) -> None:
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            raise SettingsError(
                "The database has the encoding SQL_ASCII, in which texts have no meaning: create "
                "it with ENCODING 'UTF8'."
            )
        if not (lent or own):
            connection.execute(f"SET statement_timeout = {milliseconds}")
            connection.commit()

    if lent and not own:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")


def insert_into(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that takes ON CONFLICT.

    Only the dialect in use is imported: PostgreSQL's brings drivers that SQLite's users never need.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
