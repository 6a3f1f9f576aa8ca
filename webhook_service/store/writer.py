"""The writer: one thread that commits in groups.

It takes what is queued, runs it in one transaction, and resolves the callers only after COMMIT:
a flush to disk is paid once for many callers, and nobody is told of a write that may be lost.
Neighbours in a group that have the same batch function are one call of it.
A job that fails spoils its group, so each job of a spoiled group runs again alone.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from webhook_service.errors import StoreUnavailable
from webhook_service.failpoints import failpoint
from webhook_service.model.backlog import Written

MAX_QUEUED = 10_000
MAX_GROUP = 256
WRITE_TIMEOUT = 15.0
LATE = "The database did not take the write in time."

log = logging.getLogger(__name__)
T = TypeVar("T")
ItemT = TypeVar("ItemT")
Batch = Callable[[Connection, Sequence[ItemT]], Sequence[T]]
"""Writes some items, and gives one result for each, in their order."""


class _Entry(NamedTuple):
    batch: Batch[Any, Any]
    item: Any
    future: Future[Any]


class Writer:
    """Runs jobs in order of arrival, in groups, on one connection.

    Args:
        engine: gives the connection; a job's transaction begins on its first statement.
        max_queued: jobs that may wait; past it a write is refused at once.
    """

    def __init__(self, engine: Engine, max_queued: int = MAX_QUEUED) -> None:
        self._engine = engine
        self._max_queued = max_queued
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._jobs = self._groups = 0

    @property
    def written(self) -> Written:
        return Written(self._queue.qsize(), self._jobs, self._groups)

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Queue a job; the future resolves after its commit.

        Raises:
            StoreUnavailable: the queue is full, or the writer is closed.
        """
        return self.submit_to(_run_each, job)

    def submit_to(self, batch: Batch[ItemT, T], item: ItemT) -> Future[T]:
        """Queue an item for a batch function, which may get others of its group with it.

        Raises:
            StoreUnavailable: the queue is full, or the writer is closed.
        """
        future: Future[T] = Future()
        with self._lock:
            self._require_open()
            if self._queue.qsize() >= self._max_queued:
                raise StoreUnavailable("Too many writes are waiting; nothing was stored.")
            self._queue.put(_Entry(batch, item, future))
        return future

    def run(self, job: Callable[[Connection], T]) -> T:
        """Queue a job and wait for its commit.

        Raises:
            StoreUnavailable: it was not committed.
            IntegrityError: a constraint of the tables forbids it.
        """
        return wait(self.submit(job))

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The service is stopping; nothing was stored.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
            self._thread.start()

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

    def _commit(self, group: Sequence[_Entry]) -> None:
        try:
            with self._engine.begin() as connection:
                results = _run(connection, group)
                failpoint("writer.before_commit")
        except Exception as exc:
            if len(group) == 1:
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


def _as_told(exc: Exception) -> Exception:
    """What the caller of a job that failed is told; a broken constraint is for it to explain."""
    if isinstance(exc, SQLAlchemyError) and not isinstance(exc, IntegrityError):
        told = StoreUnavailable("The database refused the write; nothing was stored.")
        told.__cause__ = exc
        return told
    return exc


def _run(connection: Connection, group: Sequence[_Entry]) -> list[Any]:
    results: list[Any] = []
    for batch, entries in groupby(group, attrgetter("batch")):
        results += batch(connection, [entry.item for entry in entries])
    return results


def _run_each(connection: Connection, jobs: Sequence[Callable[[Connection], T]]) -> list[T]:
    return [job(connection) for job in jobs]
