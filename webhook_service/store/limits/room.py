"""Room: whether a call may be stored, by all limits, decided by memory alone."""

from __future__ import annotations

from pathlib import Path

from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import sqlite_file
from webhook_service.store.limits.daily_bytes import DailyBytes
from webhook_service.store.limits.free_space import FreeSpace
from webhook_service.store.limits.limits import Limits
from webhook_service.store.limits.open_executions import OpenExecutions


class Room:
    """What is left of each limit."""

    def __init__(self, database: Database, limits: Limits) -> None:
        folder: Path | None = sqlite_file(database.url).parent if database.is_sqlite else None
        self.disk = FreeSpace(folder, limits.min_free_bytes)
        self.executions = OpenExecutions(database, limits.max_open_executions)
        self._bytes = DailyBytes(database, limits)

    def require(self, project: str, receiver: str, *, work: bool) -> None:
        """Make sure that a call may be stored.

        Args:
            work: whether it brings executions.

        Raises:
            StoreUnavailable: the disk is too full.
            LimitReached: its receiver or project has had its share.
        """
        self.disk.require()
        self._bytes.require_room(project, receiver)
        if work:
            self.executions.require_room(project)

    def take(self, project: str, receiver: str, size: int, executions: int) -> None:
        """Note what a call has stored."""
        self._bytes.add(project, receiver, size)
        self.executions.add(project, executions)
