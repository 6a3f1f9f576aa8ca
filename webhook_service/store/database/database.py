"""The database: callers read on their own threads, and one thread commits every write.

That thread takes what is queued, runs it in one transaction, and resolves the callers only after
COMMIT: a flush to disk is paid once for many callers, and nobody is told of a write that may be
lost. Neighbours in a group that have the same batch function are one call of it. A job that fails
spoils its group, so each job of a spoiled group runs again alone.

A caller that waits no longer is seen before COMMIT: what it was told was not stored is not. A
connection that failed is thrown away: after a failover it may lead to a server that still answers,
and takes no writes. One that hangs is broken by the watchdog.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect, event, update
from sqlalchemy.exc import DataError, IntegrityError, InvalidatePoolError, SQLAlchemyError

from webhook_service.errors import (
    InvalidRequest,
    ListTooLong,
    SettingsError,
    StoreUnavailable,
    first_line,
)
from webhook_service.failpoints import failpoint
from webhook_service.model.history.backlog import Written
from webhook_service.store.database.clock import TOLERANCE, DatabaseClock
from webhook_service.store.database.dialects import (
    is_lent,
    lends,
    open_engine,
    parse_url,
    took_too_long,
)
from webhook_service.store.database.generation import Generation
from webhook_service.store.database.sqlite_files import SqliteFiles
from webhook_service.store.database.watchdog import Watchdog
from webhook_service.store.database.write import TORN, Write, wait
from webhook_service.store.tables import chores

MAX_QUEUED = 10_000
MAX_GROUP = 256
# How long a group of writes, and a read, may use a connection.
GROUP_TIMEOUT = 20.0
READ_TIMEOUT = 60.0
PING_TIMEOUT = 5.0
LIST_TIMEOUT = 5.0
CLOSE_TIMEOUT = 30.0
HANGS_AFTER = 5.0
FORKED = (
    "This service was opened before its process forked, and neither threads nor connections "
    "survive that: open it in the new process. With gunicorn leave out --preload."
)
REFUSED = "The database refused the write; nothing was stored."
TOO_LONG = (
    f"The list was not read within {LIST_TIMEOUT:.0f} s: many rows match one of the filters, and "
    "few match all of them. Leave out all filters but the one that fewest rows match."
)
UNFIT = "A value is too long, or holds a character that cannot be stored; nothing was stored."

# Of a value that a caller gave: half a surrogate pair, and with SQLite an integer over 64 bits, are
# refused by the database's driver before the database sees them.
UNSTORABLE = (DataError, UnicodeEncodeError, OverflowError)
# A list reads an index in its order. To read all that matches and sort it looks cheaper where the
# planner expects few rows, and it expects few of each condition that it knows nothing about.
_FOR_LISTS = (
    f"SELECT set_config('statement_timeout', '{int(LIST_TIMEOUT * 1000)}', true)"
    + "".join(
        f", set_config('{way}', 'off', true)"
        for way in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
    )
)

log = logging.getLogger(__name__)
T = TypeVar("T")
ItemT = TypeVar("ItemT")
Job = Callable[[Connection], T]
Batch = Callable[[Connection, Sequence[ItemT]], Sequence[T]]
"""Writes some items, and gives one result for each, in their order."""


class _Entry(NamedTuple):
    batch: Batch[Any, Any]
    item: Any
    write: Write[Any]


class Database:
    """One database.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        max_queued: writes that may wait; past it one is refused at once.
        tolerance: see ``DatabaseClock``.

    Attributes:
        now: gives the time by the database's clock.

    Raises:
        SettingsError: the URL cannot be used here.
    """

    def __init__(
        self, url: str, max_queued: int = MAX_QUEUED, tolerance: float = TOLERANCE
    ) -> None:
        self.url = parse_url(url)
        self.clock = DatabaseClock(tolerance)
        self.now = self.clock.now
        self._readers = open_engine(self.url, readers=True)
        self._writers = open_engine(self.url, readers=False)
        self._generation = Generation(self._readers, self._writers)
        self._max_queued = max_queued
        self._queue: queue.SimpleQueue[Sequence[_Entry] | None] = queue.SimpleQueue()
        self._queued = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._watchdog = Watchdog(GROUP_TIMEOUT)
        self._files: SqliteFiles | None = None
        if self.is_sqlite:
            self._files = SqliteFiles(self.url, self._readers, self._writers, self._generation)
            event.listen(self._readers, "do_connect", self._require_own_files)
        else:
            event.listen(self._readers, "checkout", self._ping)
        self._closed = False
        self._process = os.getpid()
        self._jobs = self._groups = 0
        self._failure: BaseException | None = None
        self._kept: Connection | None = None
        # When the group that is written now was begun; without one there is nothing to wait for.
        self._began = math.inf

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def is_stuck(self) -> bool:
        """Whether the writer's thread has ended, so that nothing is stored any more."""
        if self._closed:
            return False
        return self.is_forked or not (self._thread is None or self._thread.is_alive())

    @property
    def is_forked(self) -> bool:
        """Whether another process opened this: threads and connections are that one's."""
        return os.getpid() != self._process

    def require_own_process(self) -> None:
        """Make sure that nothing of another process is used.

        Raises:
            StoreUnavailable: the process has forked since this was opened.
        """
        if self.is_forked:
            raise StoreUnavailable(FORKED)

    @property
    def dialect(self) -> Dialect:
        return self._writers.dialect

    @property
    def written(self) -> Written:
        """What the writer has to do, and has done."""
        return Written(self._queued, self._jobs, self._groups)

    @contextmanager
    def read(self, seconds: float | None = None) -> Iterator[Connection]:
        """A connection for queries; each one sees what is committed when it runs.

        Args:
            seconds: how long it may be used; ``READ_TIMEOUT`` if left out.

        Raises:
            StoreUnavailable: the database does not answer, or is closed.
            InvalidRequest: a value is one that the database cannot store.
        """
        self.require_own_process()
        if self._closed:
            raise StoreUnavailable("The service is stopping.")
        seconds = READ_TIMEOUT if seconds is None else seconds
        try:
            connection = self._readers.connect()
            with self._watchdog.over(_raw(connection), seconds), connection:
                yield connection
        except UNSTORABLE as exc:
            raise InvalidRequest(UNFIT) from exc
        except json.JSONDecodeError as exc:
            log.exception("A stored row is no JSON.")
            raise StoreUnavailable("What is stored there cannot be read.") from exc
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database does not answer; nothing was changed.") from exc

    @contextmanager
    def browse(self) -> Iterator[Connection]:
        """``read`` for a list, which takes no longer than people wait for one.

        Raises:
            ListTooLong: it would take longer than ``LIST_TIMEOUT``.
        """
        try:
            with self.read(LIST_TIMEOUT if self.is_sqlite else READ_TIMEOUT) as connection:
                if not self.is_sqlite:
                    # What is set for a transaction is gone with it.
                    connection.execution_options(isolation_level="READ COMMITTED")
                    connection.exec_driver_sql(_FOR_LISTS)
                yield connection
        except StoreUnavailable as exc:
            if took_too_long(exc.__cause__):
                raise ListTooLong(TOO_LONG) from exc
            raise

    def require_fitting_url(self) -> None:
        """Look what is between this process and the database.

        Raises:
            SettingsError: a pooler that lends connections, and the URL does not say so.
            StoreUnavailable: the database does not answer.
        """
        try:
            if not self.is_sqlite and not is_lent(self.url) and lends(self._readers):
                raise SettingsError(
                    "The database stands behind a pooler that lends a connection for one "
                    "transaction at a time: add pooler=transaction to the query of "
                    "WEBHOOK_SERVICE_DATABASE_URL, or let the pooler work in session mode."
                )
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database does not answer; nothing was changed.") from exc

    def set_clock(self) -> None:
        """Learn the database's time.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        with self.read() as connection:
            self.clock.ask(connection)

    def require_writable(self) -> None:
        """Make sure that writes are stored, as far as the last ones tell.

        Raises:
            StoreUnavailable: the last group failed, or hangs.
        """
        if time.monotonic() - self._began > HANGS_AFTER:
            raise StoreUnavailable("The database does not answer.")
        if self._failure is not None:
            # Nobody may be sending any more: so look whether it goes again.
            self.write(_touch)

    def write(self, job: Job[T]) -> T:
        """Run a job in a transaction of the writer and return its result after the commit.

        Args:
            job: may run more than once, each time in a transaction of its own.

        Raises:
            StoreUnavailable: it was not committed.
            InvalidRequest: a value is one that the database cannot store.
            IntegrityError: a constraint of the tables forbids it.
        """
        return wait(self.submit(_run_each, job))

    def submit(self, batch: Batch[ItemT, T], item: ItemT) -> Write[T]:
        """Begin a write that is done together with others of its kind.

        Args:
            batch: writes some items in a transaction; may run more than once, as ``write``'s job.

        Raises:
            StoreUnavailable: too many writes are waiting; the future may also raise it.
        """
        return self.submit_all(batch, [item])[0]

    def submit_all(self, batch: Batch[ItemT, T], items: Sequence[ItemT]) -> list[Write[T]]:
        """``submit`` for some items of a kind: the writer takes them together.

        Raises:
            StoreUnavailable: too many writes are waiting for all of them to join.
        """
        self.require_own_process()
        writes: list[Write[T]] = [Write(self._commit_lock) for _ in items]
        entries = [_Entry(batch, *each) for each in zip(items, writes, strict=True)]
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The service is stopping; nothing was stored.")
            if self._queued + len(entries) > self._max_queued:
                raise StoreUnavailable("Too many writes are waiting; nothing was stored.")
            if self._thread is None:
                thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
                thread.start()
                # Not before: until it has begun it seems dead, and the database stuck.
                self._thread = thread
            self._queued += len(entries)
            self._queue.put(entries)
        return writes

    def connect_for_migration(self) -> Connection:
        """A connection outside the writer's queue.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        self.require_own_process()
        try:
            return self._writers.connect()
        except SQLAlchemyError as exc:
            raise StoreUnavailable(f"The database at {self.url!r} does not answer.") from exc

    def close(self) -> None:
        """Commit what is queued, end the writer's thread and close all connections.

        A write that hangs is broken off after 30 seconds. In a process that forked nothing is
        closed: the other one goes on with it.
        """
        if self.is_forked:
            return self._leave()
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(CLOSE_TIMEOUT)
            if self._thread.is_alive():
                self._watchdog.break_all()
                self._thread.join(CLOSE_TIMEOUT)
        self._watchdog.close()
        self._readers.dispose()
        self._writers.dispose()

    def _ping(self, raw: Any, *_: object) -> None:
        """Give out no connection that does not answer, and keep none that is as old as it.

        The pool's own ping has no bound, and a server that froze keeps its lines open.
        """
        try:
            with self._watchdog.over(raw, PING_TIMEOUT):
                self._readers.dialect.do_ping(raw)
        except self._readers.dialect.loaded_dbapi.Error as exc:
            raise InvalidatePoolError from exc

    def _leave(self) -> None:
        self._closed = True
        for engine in (self._readers, self._writers):
            engine.dispose(close=False)

    def _loop(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._take()
            group = [entry for entry in group if entry.write.set_running_or_notify_cancel()]
            if group:
                self._commit(group)
                self._began = math.inf
        self._let_go()

    def _take(self) -> tuple[list[_Entry], bool]:
        """What is queued now, waiting for the first one; whether to go on after it."""
        group: list[_Entry] = []
        taken = self._queue.get()
        while taken is not None:
            group += taken
            with self._lock:
                self._queued -= len(taken)
            if len(group) >= MAX_GROUP or self._queue.empty():
                return group, True
            taken = self._queue.get()
        return group, False

    def _commit(self, group: Sequence[_Entry], *, again: bool = False) -> None:
        ran = False
        self._began = time.monotonic()
        writes = [entry.write for entry in group]
        try:
            with self._transaction() as connection:
                self.clock.keep(connection)
                results: list[Any] = []
                for batch, entries in groupby(group, attrgetter("batch")):
                    results += batch(connection, [entry.item for entry in entries])
                ran = True
                Write.begin_commit(writes)
                failpoint("writer.before_commit")
        except BaseException as exc:
            # The thread must outlast whatever a job raises: it is the only writer.
            self._take_for_broken(exc)
            is_broken = getattr(exc, "connection_invalidated", False)
            for write in writes:
                write.retry(torn=ran and is_broken)
            if len(group) == 1:
                # The kept connection did not outlive a restart of the server. Before COMMIT was
                # sent nothing can have been stored, so a new connection may try the same once.
                if not ran and not again and is_broken:
                    return self._commit(group, again=True)
                return group[0].write.set_exception(_as_told(exc, group[0]))
            log.debug("a group of %d writes failed, each runs alone: %s", len(group), exc)
            for entry in group:
                self._commit([entry])
            return
        failpoint("writer.after_commit")
        self._failure = None
        self._jobs += len(group)
        self._groups += 1
        for write, result in zip(writes, results, strict=True):
            write.set_result(result)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction on the connection that the writer keeps from group to group.

        A file that was deleted or replaced takes writes for as long as it is open, and they are
        lost when it is closed.
        """
        if self._files is not None and self._files.are_lost:
            self._files.leave(None if self._kept is None else _raw(self._kept), self._let_go)
        if self._kept is None:
            self._kept = self._writers.connect()
        try:
            with self._watchdog.over(_raw(self._kept)), self._kept.begin():
                yield self._kept
        except BaseException:
            self._let_go()
            raise
        if self._files is not None:
            self._files.wrote()

    def _require_own_files(self, *_: object) -> None:
        """Open no file beside one that the writer still has to leave.

        Raises:
            StoreUnavailable: the writer leaves it now.
        """
        if self._files is None or not self._files.are_lost:
            return
        with suppress(StoreUnavailable):
            self.submit(_run_each, _touch)  # nobody may be writing
        raise StoreUnavailable("The database does not answer; nothing was changed.")

    def _let_go(self) -> None:
        """Give the writer's connection back; the pool keeps it, unless it is broken."""
        kept, self._kept = self._kept, None
        if self._files is not None:
            self._files.closed()
        if kept is not None:
            kept.close()

    def _take_for_broken(self, exc: BaseException) -> None:
        """Throw connections away that failed, unless a job was at fault."""
        if not isinstance(exc, SQLAlchemyError) or isinstance(exc, IntegrityError | DataError):
            return
        self._failure = exc
        self.clock.distrust()
        self._generation.end()


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _run_each(connection: Connection, jobs: Sequence[Job[T]]) -> list[T]:
    return [job(connection) for job in jobs]


def _touch(connection: Connection) -> None:
    """A write that changes nothing, and is refused where writes are."""
    connection.execute(update(chores).values(name=chores.c.name))


def _as_told(exc: BaseException, entry: _Entry) -> BaseException:
    """What the caller of a job that failed is told; a broken constraint is for it to explain."""
    told: Exception
    refused = TORN if entry.write.is_torn else REFUSED
    if isinstance(exc, UNSTORABLE):
        told = InvalidRequest(UNFIT)
    elif isinstance(exc, IntegrityError) and entry.batch is not _run_each:
        constraint = getattr(getattr(exc.orig, "diag", None), "constraint_name", None)
        log.error("The database's tables forbid a write: %s", constraint or first_line(exc))
        told = StoreUnavailable(refused)
    elif isinstance(exc, SQLAlchemyError) and not isinstance(exc, IntegrityError):
        told = StoreUnavailable(refused)
    else:
        return exc
    told.__cause__ = exc
    return told
