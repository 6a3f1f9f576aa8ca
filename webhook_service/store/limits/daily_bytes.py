"""Bytes that calls have stored today (UTC), by receiver and by project.

Every host notes for itself what its calls have stored, and adds it to the database's count in
steps of 256 KiB at most, with whatever is written then. It learns from the count what other hosts
have stored. So a call asks memory alone, and hosts together exceed a limit by a step each at most.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection, delete

from webhook_service.errors import LimitReached, StoreUnavailable
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import insert_into
from webhook_service.store.limits.limits import Limits
from webhook_service.store.tables import stored_bytes

STEP = 256 * 1024
STEPS = 100


@dataclass(slots=True)
class _Count:
    total: int = 0
    unsaved: int = 0


@dataclass(frozen=True, slots=True)
class _Share:
    """Bytes of one owner, to be added to the database's count."""

    day: date
    owner: str
    size: int


class DailyBytes:
    """Counts what calls store, and refuses those of receivers and projects that have had enough.

    Args:
        now: the time; the database's if left out.
    """

    def __init__(
        self,
        database: Database,
        limits: Limits,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._database = database
        self._limits = limits
        self._now = now or database.now
        self._lock = threading.Lock()
        self._day = self._now().date()
        self._counts: defaultdict[str, _Count] = defaultdict(_Count)

    def require_room(self, project: str, receiver: str) -> None:
        """Make sure that a call may be stored.

        Raises:
            LimitReached: its receiver or its project has stored as much as it may today.
        """
        for what, owner, limit in self._owners(project, receiver):
            with self._lock:
                count = self._today()[owner]
                full = count.total + count.unsaved >= limit
            if full:
                raise self._refusal(what, limit)

    def add(self, project: str, receiver: str, size: int) -> None:
        """Count what a call has stored."""
        for _, owner, limit in self._owners(project, receiver):
            with self._lock:
                count = self._today()[owner]
                count.unsaved += size
                if count.unsaved < min(STEP, limit // STEPS):
                    continue
                share = _Share(self._day, owner, count.unsaved)
                count.total, count.unsaved = count.total + share.size, 0
            self._save(share)

    def _owners(self, project: str, receiver: str) -> list[tuple[str, str, int]]:
        of_receiver = ("receiver", receiver, self._limits.receiver_bytes_per_day)
        of_project = ("project", f"project/{project}", self._limits.project_bytes_per_day)
        return [owner for owner in (of_receiver, of_project) if owner[2]]

    def _today(self) -> defaultdict[str, _Count]:
        if (day := self._now().date()) != self._day:
            self._day = day
            self._counts.clear()
        return self._counts

    def _refusal(self, what: str, limit: int) -> LimitReached:
        now = self._now()
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        return LimitReached(
            f"The calls of this {what} have stored the {limit} bytes that it may store in a day "
            f"(WEBHOOK_SERVICE_{what.upper()}_BYTES_PER_DAY); nothing was stored. It takes calls "
            f"again at {midnight:%Y-%m-%dT%H:%MZ}.",
            int((midnight - now).total_seconds()) + 1,
        )

    def _save(self, share: _Share) -> None:
        """Add to the database's count, without waiting for it."""
        try:
            saved = self._database.submit(_add_to_counts, share)
        except StoreUnavailable:
            return self._learn(share, None)
        saved.add_done_callback(partial(self._saved, share))

    def _saved(self, share: _Share, saved: Future[int]) -> None:
        failed = saved.cancelled() or saved.exception() is not None
        self._learn(share, None if failed else saved.result())

    def _learn(self, share: _Share, total: int | None) -> None:
        """Note the count of all hosts; without one, keep the share for the next time."""
        with self._lock:
            if share.day != self._day:
                return
            count = self._counts[share.owner]
            if total is None:
                count.total -= share.size
                count.unsaved += share.size
            else:
                count.total = total


def _add_to_counts(connection: Connection, shares: Sequence[_Share]) -> list[int]:
    """Add shares, one after the other; gives the count of each owner then."""
    yesterday = min(share.day for share in shares) - timedelta(days=1)
    connection.execute(delete(stored_bytes).where(stored_bytes.c.day < yesterday))
    statement = insert_into(connection.dialect.name, stored_bytes)
    totals = []
    for share in shares:
        new = statement.values(day=share.day, owner=share.owner, size=share.size)
        added = new.on_conflict_do_update(
            index_elements=["day", "owner"],
            set_={"size": stored_bytes.c.size + new.excluded.size},
        )
        totals.append(connection.execute(added.returning(stored_bytes.c.size)).scalar_one())
    return totals
