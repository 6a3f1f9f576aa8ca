"""Executions that a project has not finished yet: so many may wait, and one more is refused.

Each host keeps an estimate: what the database counted last, and what it has stored since. It is
counted again, with whatever is written then, before the estimate can be far off. So a call asks
memory alone, and hosts together exceed the limit by a hundredth each, or by one group of calls.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf

from sqlalchemy import Connection, bindparam, func, select

from webhook_service.errors import LimitReached, StoreUnavailable
from webhook_service.store.database.database import Database
from webhook_service.store.tables import OPEN, executions

STEPS = 100
# Between two counts of a project that is full.
PAUSE = 1.0
RETRY_AFTER = 60
_COUNT = select(func.count()).select_from(
    select(executions.c.id)
    .where(executions.c.project == bindparam("of"), OPEN)
    .limit(bindparam("most"))
    .subquery()
)


@dataclass(slots=True)
class _Estimate:
    counted: int = 0
    since: int = 0
    asked: float = -inf


class OpenExecutions:
    """Refuses work of projects that have as many open executions as they may.

    Args:
        limit: of each project; 0 is no limit.
        clock: seconds that never go back.
    """

    def __init__(
        self, database: Database, limit: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._estimates: defaultdict[str, _Estimate] = defaultdict(_Estimate)

    def require_room(self, project: str) -> None:
        """Make sure that a call may bring work.

        Raises:
            LimitReached: the project has too many open executions.
        """
        with self._lock:
            estimate = self._estimates[project]
            if not self._limit or estimate.counted + estimate.since < self._limit:
                return
            again = self._clock() >= estimate.asked + PAUSE
        if again:
            self._count(project)
        raise too_many(self._limit)

    def require_room_for(self, connection: Connection, project: str, number: int) -> None:
        """Make sure, in a transaction, that people may add so many executions.

        Raises:
            LimitReached: there would be too many.
        """
        if self._limit and count_open(connection, project, self._limit) + number > self._limit:
            raise too_many(self._limit)

    def add(self, project: str, number: int) -> None:
        """Note executions that were stored."""
        if not self._limit or not number:
            return
        with self._lock:
            estimate = self._estimates[project]
            estimate.since += number
            again = estimate.asked == -inf or estimate.since >= max(1, self._limit // STEPS)
        if again:
            self._count(project)

    def _count(self, project: str) -> None:
        """Count anew, without waiting for it."""
        with self._lock:
            estimate = self._estimates[project]
            estimate.asked = self._clock()
            estimate.counted, estimate.since = estimate.counted + estimate.since, 0
        with suppress(StoreUnavailable):
            counted = self._database.submit(self._count_each, project)
            counted.add_done_callback(partial(self._learn, project))

    def _count_each(self, connection: Connection, projects: Sequence[str]) -> list[int]:
        return [count_open(connection, project, self._limit) for project in projects]

    def _learn(self, project: str, counted: Future[int]) -> None:
        if counted.cancelled() or counted.exception() is not None:
            return
        with self._lock:
            self._estimates[project].counted = counted.result()


def count_open(connection: Connection, project: str, most: int) -> int:
    """How many executions of a project are open; at most so many are looked at."""
    found: int = connection.execute(_COUNT, {"of": project, "most": most}).scalar_one()
    return found


def too_many(limit: int) -> LimitReached:
    """The refusal of further work."""
    return LimitReached(
        f"The project has {limit} executions that have not ended, which is as many as it may have "
        "(WEBHOOK_SERVICE_MAX_OPEN_EXECUTIONS); nothing was stored. Send the call again when some "
        "have ended, or cancel what need not run.",
        RETRY_AFTER,
    )
