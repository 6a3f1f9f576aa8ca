"""The database: callers read on their own threads, and one thread commits every write.

That thread takes what is queued, runs it in one transaction, and resolves the callers only after
COMMIT: a flush to disk is paid once for many callers, and nobody is told of a write that may be
lost. Neighbours in a group that have the same batch function are one call of it. A job that fails
spoils its group, so each job of a spoiled group runs again alone.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from webhook_service.errors import InvalidRequest, StoreUnavailable
from webhook_service.failpoints import failpoint
from webhook_service.model.backlog import Written
from webhook_service.store.dialects import open_engine, parse_url

MAX_QUEUED = 10_000
MAX_GROUP = 256
WRITE_TIMEOUT = 15.0
LATE = "The database did not take the write in time."
UNFIT = "A value is too long, or holds a character that cannot be stored; nothing was stored."

log = logging.getLogger(__name__)
T = TypeVar("T")
ItemT = TypeVar("ItemT")
Job = Callable[[Connection], T]
Batch = Callable[[Connection, Sequence[ItemT]], Sequence[T]]
"""Writes some items, and gives one result for each, in their order."""


class _Entry(NamedTuple):
    batch: Batch[Any, Any]
    item: Any
    future: Future[Any]


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
        self._closed = False
        self._jobs = self._groups = 0

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

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
        """
        if self._closed:
            raise StoreUnavailable("The service is stopping.")
        try:
            with self._readers.connect() as connection:
                yield connection
        except DataError as exc:
            raise InvalidRequest(UNFIT) from exc
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database does not answer; nothing was changed.") from exc

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

    def submit(self, batch: Batch[ItemT, T], item: ItemT) -> Future[T]:
        """Begin a write that is done together with others of its kind.

        Args:
            batch: writes some items in a transaction; may run more than once, as ``write``'s job.

        Raises:
            StoreUnavailable: too many writes are waiting; the future may also raise it.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The service is stopping; nothing was stored.")
            if self._queue.qsize() >= self._max_queued:
                raise StoreUnavailable("Too many writes are waiting; nothing was stored.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
                self._thread.start()
            self._queue.put(_Entry(batch, item, future))
        return future

    def connect_for_migration(self) -> Connection:
        """A connection with a transaction begun, outside the writer's queue."""
        try:
            return self._writers.connect()
        except SQLAlchemyError as exc:
            raise StoreUnavailable(f"The database at {self.url!r} does not answer.") from exc

    def close(self) -> None:
        """Commit what is queued, end the writer's thread and close all connections."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._readers.dispose()
        self._writers.dispose()

    def _loop(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._take()
            group = [entry for entry in group if entry.future.set_running_or_notify_cancel()]
            if group:
                self._commit(group)

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
        try:
            with self._writers.begin() as connection:
                results: list[Any] = []
                for batch, entries in groupby(group, attrgetter("batch")):
                    results += batch(connection, [entry.item for entry in entries])
                ran = True
                failpoint("writer.before_commit")
        except BaseException as exc:
            # The thread must outlast whatever a job raises: it is the only writer.
            if len(group) == 1:
                # The kept connection did not outlive a restart of the server. Before COMMIT was
                # sent nothing can have been stored, so a new connection may try the same once.
                if not ran and not again and getattr(exc, "connection_invalidated", False):
                    return self._commit(group, again=True)
                return group[0].future.set_exception(_as_told(exc))
            log.debug("a group of %d writes failed, each runs alone: %s", len(group), exc)
            for entry in group:
                self._commit([entry])
            return
        failpoint("writer.after_commit")
        self._jobs += len(group)
        self._groups += 1
        for entry, result in zip(group, results, strict=True):
            entry.future.set_result(result)


def wait(future: Future[T]) -> T:
    """Wait for a commit.

    Raises:
        StoreUnavailable: it did not happen, or not in time.
        IntegrityError: a constraint of the tables forbids it.
    """
    try:
        return future.result(WRITE_TIMEOUT)
    except FutureTimeout as exc:
        future.cancel()
        raise StoreUnavailable(LATE) from exc


def _run_each(connection: Connection, jobs: Sequence[Job[T]]) -> list[T]:
    return [job(connection) for job in jobs]


def _as_told(exc: BaseException) -> BaseException:
    """What the caller of a job that failed is told; a broken constraint is for it to explain."""
    if not isinstance(exc, SQLAlchemyError) or isinstance(exc, IntegrityError):
        return exc
    told: Exception = StoreUnavailable("The database refused the write; nothing was stored.")
    if isinstance(exc, DataError):
        told = InvalidRequest(UNFIT)
    told.__cause__ = exc
    return told
