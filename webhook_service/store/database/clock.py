"""The clock of a database: every moment in it is a moment of this one clock.

Hosts share the tables, and their own clocks differ. With PostgreSQL the server's clock counts. The
writer asks for it every few seconds, before it writes; in between, this process adds to the last
answer by a clock that only grows. SQLite is used on one machine, whose clock counts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

# Seconds for which an answer is used.
FRESH = 10.0
# The wall clock went apart from the growing one by so much: a leap, or the machine was asleep.
LEAP = 1.0
TOLERANCE = 10.0
_ASK = select(func.clock_timestamp())

log = logging.getLogger(__name__)


class DatabaseClock:
    """Tells the time by the database's clock, once that is known.

    Args:
        tolerance: seconds by which this host's clock may be off before the log says so.
        steady: seconds that only grow.
        wall: this host's clock, in seconds since 1970.
    """

    def __init__(
        self,
        tolerance: float = TOLERANCE,
        steady: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._tolerance = tolerance
        self._steady = steady
        self._wall = wall
        # Of the database's clock and of this host's: what each is before the steady one.
        self._database: float | None = None
        self._host = 0.0
        self._asked = -math.inf
        self._is_off = False

    def now(self) -> datetime:
        """The time, aware of its zone."""
        if self._database is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        return datetime.fromtimestamp(self._database + self._steady(), UTC)

    def keep(self, connection: Connection) -> None:
        """Ask the database again, if its last answer is old or this host's clock has leapt."""
        steady = self._steady()
        leapt = abs(self._wall() - steady - self._host) > LEAP
        if leapt or steady - self._asked > FRESH:
            self.ask(connection)

    def ask(self, connection: Connection) -> None:
        """Ask the database for its time."""
        if connection.dialect.name != "postgresql":
            return
        before = self._steady()
        answer: float = connection.execute(_ASK).scalar_one().timestamp()
        after = self._steady()
        # It was told somewhere between the two: what is known already and fits in there stays, so
        # that a slow answer moves nothing.
        earliest, latest = answer - after, answer - before
        known = (earliest + latest) / 2 if self._database is None else self._database
        self._database = min(max(known, earliest), latest)
        self._host, self._asked = self._wall() - after, after
        self._tell(self._host - self._database)

    def distrust(self) -> None:
        """Ask before the next write: the next connection may lead to another server."""
        self._asked = -math.inf

    def _tell(self, ahead: float) -> None:
        """Log that this host's clock is off, and that it is right again: each once."""
        limit = self._tolerance / 2 if self._is_off else self._tolerance
        if (is_off := abs(ahead) > limit) == self._is_off:
            return
        self._is_off = is_off
        if not is_off:
            log.info("This host's clock agrees with the database's again.")
            return
        log.warning(
            "This host's clock is %.0f s %s the database's. The database's counts; but signatures "
            "that expire are checked by this host's: set it right, with NTP.",
            abs(ahead),
            "ahead of" if ahead > 0 else "behind",
        )
