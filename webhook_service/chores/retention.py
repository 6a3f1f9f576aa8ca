"""Retention: which chores remove what is old, and when that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from webhook_service.chores.checkpoint import Checkpoint
from webhook_service.chores.chore import Chore
from webhook_service.settings import Settings
from webhook_service.store.database.dialects import sqlite_file
from webhook_service.store.history.approvals import ApprovalStore
from webhook_service.store.retention import ChoreStep, PruningStore
from webhook_service.store.store import Store

HOUR = 3600.0
EXPIRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Prune:
    """Removes what is older than so many days, once an hour."""

    name: str
    batch: Callable[[str, datetime], ChoreStep]
    now: Callable[[], datetime]
    days: int
    every: float = HOUR

    def step(self, cursor: str) -> ChoreStep:
        return self.batch(cursor, self.now() - timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class ExpireApprovals:
    """Ends what nobody approved in time."""

    approvals: ApprovalStore
    name: str = "approvals"
    every: float = EXPIRY_SECONDS

    def step(self, cursor: str) -> ChoreStep:
        count = self.approvals.expire()
        return ChoreStep("", count == 0, count)


def housekeeping(store: Store, settings: Settings) -> list[Chore]:
    """The chores that the settings ask for; 0 days keep what they are about."""
    found: list[Chore] = [ExpireApprovals(store.approvals), *prunings(store, settings)]
    if store.database.is_sqlite:
        found.append(Checkpoint(sqlite_file(store.database.url)))
    return found


def prunings(store: Store, settings: Settings) -> list[Prune]:
    """Those of them that remove what is old."""
    pruning, now = PruningStore(store.database), store.now
    found = [Prune("keys", pruning.keys, now, 0)]
    if settings.keep_bodies_days:
        found.append(Prune("bodies", pruning.bodies, now, settings.keep_bodies_days))
    if settings.keep_audit_days:
        found.append(Prune("audit", pruning.audit, now, settings.keep_audit_days))
    if days := settings.keep_history_days:
        batches = (pruning.executions, pruning.deliveries, pruning.slots)
        found += [Prune(batch.__name__, batch, now, days) for batch in batches]
    return found
