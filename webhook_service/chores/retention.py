"""Retention: which chores remove what is old, and when that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webhook_service.chores.chore import Chore
from webhook_service.settings import Settings
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
    days: int
    every: float = HOUR

    def step(self, cursor: str) -> ChoreStep:
        return self.batch(cursor, datetime.now(UTC) - timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class ExpireApprovals:
    """Ends what nobody approved in time."""

    approvals: ApprovalStore
    name: str = "approvals"
    every: float = EXPIRY_SECONDS

    def step(self, cursor: str) -> ChoreStep:
        count = self.approvals.expire()
        return ChoreStep("", count == 0, count)


def retention(store: Store, settings: Settings) -> list[Chore]:
    """The chores that the settings ask for; 0 days keep what they are about."""
    pruning = PruningStore(store.database)
    found: list[Chore] = [ExpireApprovals(store.approvals), Prune("keys", pruning.keys, 0)]
    if settings.keep_bodies_days:
        found.append(Prune("bodies", pruning.bodies, settings.keep_bodies_days))
    if settings.keep_audit_days:
        found.append(Prune("audit", pruning.audit, settings.keep_audit_days))
    if days := settings.keep_history_days:
        batches = (pruning.executions, pruning.deliveries, pruning.slots)
        found += [Prune(batch.__name__, batch, days) for batch in batches]
    return found
