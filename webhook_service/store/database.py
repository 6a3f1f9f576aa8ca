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
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect, update
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from webhook_service.errors import InvalidRequest, SettingsError, StoreUnavailable, first_line
from webhook_service.failpoints import failpoint
from webhook_service.model.backlog import Written
from webhook_service.store.dialects import is_lent, lends, open_engine, parse_url
from webhook_service.store.tables import chores
from webhook_service.store.watchdog import Watchdog

MAX_QUEUED = 10_000
MAX_GROUP = 256
WRITE_TIMEOUT = 15.0
# How long a group of writes, and a read, may use a connection.
GROUP_TIMEOUT = 20.0
READ_TIMEOUT = 60.0
CLOSE_TIMEOUT = 30.0
HANGS_AFTER = 5.0
LATE = "The database did not take the write in time; nothing was stored."
REFUSED = "The database refused the write; nothing was stored."
TORN = "The connection broke while the database stored this; send it again to be sure."
UNFIT = "A value is too long, or holds a character that cannot be stored; nothing was stored."

# Of a value that a caller gave: half a surrogate pair, and with SQLite an integer over 64 bits, are
# refused by the database's driver before the database sees them.
UNSTORABLE = (DataError, UnicodeEncodeError, OverflowError)

log = logging.getLogger(__name__)
T = TypeVar("T")
ItemT = TypeVar("ItemT")
Job = Callable[[Connection], T]
Batch = Callable[[Connection, Sequence[ItemT]], Sequence[T]]
"""Writes some items, and gives one result for each, in their order."""


class Write(Future[T]):
    """What a write came to, once it is known."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self._lock = lock
        self._is_given_up = self._is_committing = False

    def give_up(self) -> bool:
        """Have nothing stored; False if it is too late for that, and the result is on its way."""
        with self._lock:
            if not self._is_committing:
                self._is_given_up = True
            return self._is_given_up

    @staticmethod
    def begin_commit(writes: Sequence[Write[Any]]) -> None:
        """Go past the point up to which they can be given up.

        Raises:
            StoreUnavailable: one of them was.
        """
        with writes[0]._lock:
            if any(write._is_given_up for write in writes):
                raise StoreUnavailable(LATE)
            for write in writes:
                write._is_committing = True

    def retry(self) -> None:
        """Take a commit back that failed."""
        with self._lock:
            self._is_committing = False


class _Entry(NamedTuple):
    batch: Batch[Any, Any]
    item: Any
    write: Write[Any]


class Database:
    """One database.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        max_queued: writes that may wait; past it one is refused at once.

    Raises:
        SettingsError: the URL cannot be used here.
    """

    def __init__(self, url: str, max_queued: int = MAX_QUEUED) -> None:
        self.url = parse_url(url)
        self._readers = open_engine(self.url, readers=True)
        self._writers = open_engine(self.url, readers=False)
        self._max_queued = max_queued
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._watchdog = Watchdog(GROUP_TIMEOUT)
        self._closed = False
        self._jobs = self._groups = 0
        self._failure: BaseException | None = None
        # When the group that is written now was begun; without one there is nothing to wait for.
        self._began = math.inf

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def is_stuck(self) -> bool:
        """Whether the writer's thread has ended, so that nothing is stored any more."""
        return not (self._closed or self._thread is None or self._thread.is_alive())

    @property
    def dialect(self) -> Dialect:
        return self._writers.dialect

    @property
    def written(self) -> Written:
        """What the writer has to do, and has done."""
        return Written(self._queue.qsize(), self._jobs, self._groups)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries; each one sees what is committed when it runs.

        Raises:
            StoreUnavailable: the database does not answer, or is closed.
            InvalidRequest: a value is one that the database cannot store.
        """
        if self._closed:
            raise StoreUnavailable("The service is stopping.")
        try:
            with (
                self._readers.connect() as connection,
                self._watchdog.over(connection, READ_TIMEOUT),
            ):
                yield connection
        except UNSTORABLE as exc:
            raise InvalidRequest(UNFIT) from exc
        except json.JSONDecodeError as exc:
            log.exception("A stored row is no JSON.")
            raise StoreUnavailable("What is stored there cannot be read.") from exc
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database does not answer; nothing was changed.") from exc

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
        write: Write[T] = Write(self._commit_lock)
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The service is stopping; nothing was stored.")
            if self._queue.qsize() >= self._max_queued:
                raise StoreUnavailable("Too many writes are waiting; nothing was stored.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
                self._thread.start()
            self._queue.put(_Entry(batch, item, write))
        return write

    def connect_for_migration(self) -> Connection:
        """A connection outside the writer's queue.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            return self._writers.connect()
        except SQLAlchemyError as exc:
            raise StoreUnavailable(f"The database at {self.url!r} does not answer.") from exc

    def close(self) -> None:
        """Commit what is queued, end the writer's thread and close all connections.

        A write that hangs is broken off after 30 seconds.
        """
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

    def _loop(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._take()
            group = [entry for entry in group if entry.write.set_running_or_notify_cancel()]
            if group:
                self._commit(group)
                self._began = math.inf

    def _take(self) -> tuple[list[_Entry], bool]:
        """What is queued now, waiting for the first one; whether to go on after it."""
        group: list[_Entry] = []
        entry = self._queue.get()
        while entry is not None:
            group.append(entry)
            if len(group) == MAX_GROUP or self._queue.empty():
                return group, True
            entry = self._queue.get()
        return group, False

    def _commit(self, group: Sequence[_Entry], *, again: bool = False) -> None:
        ran = False
        self._began = time.monotonic()
        writes = [entry.write for entry in group]
        try:
            with self._writers.begin() as connection, self._watchdog.over(connection):
                results: list[Any] = []
                for batch, entries in groupby(group, attrgetter("batch")):
                    results += batch(connection, [entry.item for entry in entries])
                ran = True
                Write.begin_commit(writes)
                failpoint("writer.before_commit")
        except BaseException as exc:
            # The thread must outlast whatever a job raises: it is the only writer.
            self._take_for_broken(exc)
            for write in writes:
                write.retry()
            if len(group) == 1:
                # The kept connection did not outlive a restart of the server. Before COMMIT was
                # sent nothing can have been stored, so a new connection may try the same once.
                if not ran and not again and getattr(exc, "connection_invalidated", False):
                    return self._commit(group, again=True)
                return group[0].write.set_exception(_as_told(exc, group[0], ran))
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

    def _take_for_broken(self, exc: BaseException) -> None:
        """Throw connections away that failed, unless a job was at fault."""
        if not isinstance(exc, SQLAlchemyError) or isinstance(exc, IntegrityError | DataError):
            return
        self._failure = exc
        self._writers.dispose()
        self._readers.dispose()


def wait(write: Write[T]) -> T:
    """Wait for a commit.

    Raises:
        StoreUnavailable: it did not happen, or not in time.
        IntegrityError: a constraint of the tables forbids it.
    """
    try:
        return write.result(WRITE_TIMEOUT)
    except FutureTimeout as exc:
        if write.give_up():
            raise StoreUnavailable(LATE) from exc
        # Its COMMIT is under way, and the watchdog bounds that.
        return write.result()


def _run_each(connection: Connection, jobs: Sequence[Job[T]]) -> list[T]:
    return [job(connection) for job in jobs]


def _touch(connection: Connection) -> None:
    """A write that changes nothing, and is refused where writes are."""
    connection.execute(update(chores).values(name=chores.c.name))


def _as_told(exc: BaseException, entry: _Entry, ran: bool) -> BaseException:
    """What the caller of a job that failed is told; a broken constraint is for it to explain."""
    told: Exception
    if isinstance(exc, UNSTORABLE):
        told = InvalidRequest(UNFIT)
    elif isinstance(exc, IntegrityError) and entry.batch is not _run_each:
        constraint = getattr(getattr(exc.orig, "diag", None), "constraint_name", None)
        log.error("The database's tables forbid a write: %s", constraint or first_line(exc))
        told = StoreUnavailable(REFUSED)
    elif isinstance(exc, SQLAlchemyError) and not isinstance(exc, IntegrityError):
        is_torn = ran and getattr(exc, "connection_invalidated", False)
        told = StoreUnavailable(TORN if is_torn else REFUSED)
    else:
        return exc
    told.__cause__ = exc
    return told
