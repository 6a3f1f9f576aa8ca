"""The writer: one thread that commits in groups.

It takes what is queued, runs it in one transaction, and resolves the callers only after COMMIT:
a flush to disk is paid once for many callers, and nobody is told of a write that may be lost.
A job that fails spoils its group, so each job of a spoiled group runs again alone.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from webhook_service.errors import StoreUnavailable

MAX_QUEUED = 10_000
MAX_GROUP = 256
WRITE_TIMEOUT = 15.0

log = logging.getLogger(__name__)
T = TypeVar("T")
Job = Callable[[Connection], Any]


class Writer:
    """Runs jobs in order of arrival, in groups, on one connection.

    Args:
        engine: gives the connection; a job's transaction begins on its first statement.
        max_queued: jobs that may wait; past it a write is refused at once.
    """

    def __init__(self, engine: Engine, max_queued: int = MAX_QUEUED) -> None:
        self._engine = engine
        self._queue: queue.Queue[tuple[Job, Future[Any]] | None] = queue.Queue(max_queued)
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._closed = False

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Queue a job; the future resolves after its commit.

        Raises:
            StoreUnavailable: the queue is full, or the writer is closed.
        """
        future: Future[T] = Future()
        self._ensure_started()
        try:
            self._queue.put_nowait((job, future))
        except queue.Full as exc:
            raise StoreUnavailable("Too many writes are waiting; nothing was stored.") from exc
        return future

    def run(self, job: Callable[[Connection], T]) -> T:
        """Queue a job and wait for its commit.

        Raises:
            StoreUnavailable: it was not committed.
            IntegrityError: a constraint of the tables forbids it.
        """
        future = self.submit(job)
        try:
            return future.result(WRITE_TIMEOUT)
        except FutureTimeout as exc:
            future.cancel()
            raise StoreUnavailable("The database did not take the write in time.") from exc
        except IntegrityError:
            raise
        except SQLAlchemyError as exc:
            raise StoreUnavailable("The database refused the write; nothing was stored.") from exc

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._start_lock:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _ensure_started(self) -> None:
        with self._start_lock:
            if self._closed:
                raise StoreUnavailable("The service is stopping; nothing was stored.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._take()
            group = [entry for entry in group if entry[1].set_running_or_notify_cancel()]
            if group:
                self._commit(group)

    def _take(self) -> tuple[list[tuple[Job, Future[Any]]], bool]:
        """What is queued now, waiting for the first one; whether to go on after it."""
        group: list[tuple[Job, Future[Any]]] = []
        entry = self._queue.get()
        while entry is not None:
            group.append(entry)
            if len(group) == MAX_GROUP or self._queue.empty():
                return group, True
            entry = self._queue.get()
        return group, False

    def _commit(self, group: list[tuple[Job, Future[Any]]]) -> None:
        try:
            with self._engine.begin() as connection:
                results = [job(connection) for job, _ in group]
        except Exception as exc:
            if len(group) == 1:
                group[0][1].set_exception(exc)
                return
            log.debug("a group of %d writes failed, each runs alone: %s", len(group), exc)
            for entry in group:
                self._commit([entry])
            return
        for (_, future), result in zip(group, results, strict=True):
            future.set_result(result)
