"""The wall clock went back: what was planned while it was ahead must not wait for that day.

Times in the tables are wall times, because hosts share them and processes end. So a clock that
was far ahead for a while leaves work behind that is due, or leased, in the far future.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, or_, update

from webhook_service.model.execution import ExecutionState
from webhook_service.store.tables import OPEN, RUNNING, Moment, executions

# Seconds: less is the clock being set right little by little, as NTP does all the time.
TOLERANCE = 1.0
# Longer than any pause between retries and any lease.
FARTHEST = timedelta(hours=13)

_E = executions.c
_NOW = bindparam("now", type_=Moment)
_HORIZON = bindparam("horizon", type_=Moment)
# What is held is due when its freeze window ends, which may be far away rightly.
_DUES = (
    update(executions)
    .where(OPEN, _E.state != ExecutionState.HELD.value, _E.due > _NOW)
    .where(or_(_E.created > _NOW, _E.due > _HORIZON))
    .values(due=_NOW)
)
_LEASES = update(executions).where(RUNNING, _E.lease_until > _HORIZON).values(lease_until=_NOW)


class ClockWatch:
    """Sees that the wall clock went back, by a clock that only grows.

    Args:
        steady: seconds that only grow.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._offset: float | None = None

    def went_back(self, now: datetime) -> bool:
        """Whether it did since the last call; the first one cannot know, and says yes."""
        offset = now.timestamp() - self._steady()
        before, self._offset = self._offset, offset
        return before is None or offset < before - TOLERANCE


def make_due_again(connection: Connection, now: datetime) -> None:
    """Make due what was planned while a clock was ahead, and end the leases of that time."""
    values = {"now": now, "horizon": now + FARTHEST}
    connection.execute(_DUES, values)
    connection.execute(_LEASES, values)
