"""Leases: how long a claim is its worker's own, and what happens when it ends too early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, select, update

from webhook_service.failpoints import failpoint
from webhook_service.model.execution import Claim, ExecutionState
from webhook_service.store.queue import slots
from webhook_service.store.queue.results import held
from webhook_service.store.tables import (
    ACTIVE,
    BEHIND,
    RUNNING,
    Moment,
    attempts,
    executions,
)

MAX_LOST_LEASES = 3
MAX_SWEPT = 500
# How often a worker of a broker renews a lease while it lasts.
RENEWALS = 10
MAX_SLOTS = 10_000
WORKER_LOST, TIMED_OUT = "worker_lost", "timed_out"

_E = executions.c
_RENEW = (
    update(executions)
    .where(_E.id == bindparam("of_id"), _E.fence == bindparam("held"), RUNNING)
    .values(lease_until=bindparam("until", type_=Moment))
)
_LINE: Select[Any] = select(_E.seq, _E.id, _E.slot, _E.attempt, _E.lost)
_LOST = (
    _LINE.where(RUNNING, _E.lease_until < bindparam("now", type_=Moment))
    .order_by(_E.lease_until)
    .limit(MAX_SWEPT)
    .with_for_update(skip_locked=True)
)
_DOUBT = (
    update(executions)
    .where(_E.id == bindparam("of_id"), RUNNING, _E.lease_until > bindparam("soon", type_=Moment))
    .values(lease_until=bindparam("soon", type_=Moment))
)
_NAMED = _LINE.where(_E.id.in_(bindparam("ids", expanding=True)))
_TAKE_BACK = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"))
    .values(
        state=bindparam("to_state"),
        lost=bindparam("times"),
        due=bindparam("next_due", type_=Moment),
        finished=bindparam("now", type_=Moment),
        queue="ready",
        message=func.coalesce(bindparam("said"), _E.message),
        reason=func.coalesce(bindparam("why"), _E.reason),
        lease_until=None,
        fence=_E.fence + 1,
    )
)
_RELEASE = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"))
    .values(
        state=bindparam("to_state"),
        attempt=_E.attempt - bindparam("counted"),
        due=bindparam("now", type_=Moment),
        queue="ready",
        lease_until=None,
        fence=_E.fence + 1,
    )
)
_ATTEMPT = (
    attempts.c.execution == bindparam("of_execution"),
    attempts.c.number == bindparam("of_number"),
)
_CLOSE_ATTEMPT = (
    update(attempts)
    .where(*_ATTEMPT)
    .values(
        state=bindparam("to_state"),
        message=bindparam("said"),
        finished=bindparam("now", type_=Moment),
    )
)
_DROP_ATTEMPT = delete(attempts).where(*_ATTEMPT)
_DROP_STEP = update(attempts).where(*_ATTEMPT).values(steps=attempts.c.steps - 1)


def _forgotten() -> Select[Any]:
    """Slots in which something waits behind nothing: a walk from slot to slot over the index."""
    walk = select(func.min(_E.slot).label("slot")).where(BEHIND).cte("walk", recursive=True)
    following = select(func.min(_E.slot)).where(BEHIND, _E.slot > walk.c.slot)
    walk = walk.union_all(select(following.scalar_subquery()).where(walk.c.slot.is_not(None)))
    busy = exists().where(_E.slot == walk.c.slot, ACTIVE)
    return select(walk.c.slot).where(walk.c.slot.is_not(None), ~busy).limit(MAX_SLOTS)


_FORGOTTEN = _forgotten()


def renew(connection: Connection, claims: Sequence[Claim], until: datetime) -> None:
    """Extend the leases of claims that are still valid."""
    values = [
        {"of_id": claim.execution.id, "held": claim.fence, "until": until} for claim in claims
    ]
    if values:
        connection.execute(_RENEW, values)


def doubt(connection: Connection, execution_id: str, until: datetime) -> None:
    """Let the lease of a running execution end earlier, unless it is renewed."""
    connection.execute(_DOUBT, {"of_id": execution_id, "soon": until})


def sweep(connection: Connection, now: datetime) -> int:
    """Take back up to 500 executions whose lease has ended; returns how many."""
    lost = connection.execute(_LOST, {"now": now}).all()
    _take_back(connection, lost, "The worker was lost while it ran this", WORKER_LOST, now)
    _repair(connection)
    failpoint("sweep.before_commit")
    return len(lost)


def give_up(
    connection: Connection, claims: Sequence[Claim], message: str, reason: str, now: datetime
) -> int:
    """Take back executions whose worker is known to be lost; returns how many.

    Args:
        message: what happened, to which the number of times is added.
    """
    ids = held(connection, claims)
    lost = connection.execute(_NAMED, {"ids": list(ids)}).all()
    _take_back(connection, lost, message, reason, now)
    return len(lost)


def release(connection: Connection, claims: Sequence[Claim], now: datetime) -> int:
    """Give back claims that were not begun, as if they had never been made; returns how many."""
    ids = held(connection, claims)
    given = {claim.execution.id: claim for claim in claims if claim.execution.id in ids}
    for row in connection.execute(_NAMED, {"ids": list(given)}).all():
        claim = given[row.id]
        attempt = {"of_execution": row.id, "of_number": claim.attempt}
        connection.execute(_DROP_STEP if claim.resumed else _DROP_ATTEMPT, attempt)
        state = ExecutionState.WAITING if claim.resumed else ExecutionState.QUEUED
        counted = int(not claim.resumed)
        values = {"of_seq": row.seq, "to_state": state.value, "counted": counted, "now": now}
        connection.execute(_RELEASE, values)
    return len(given)


def _take_back(
    connection: Connection, rows: Sequence[Row[Any]], message: str, reason: str, now: datetime
) -> None:
    if not rows:
        return
    losses = [_Loss(row, f"{message} ({row.lost + 1} times in a row).", reason) for row in rows]
    if any(loss.is_last for loss in losses):
        failpoint("dead_letter.before")
    connection.execute(_TAKE_BACK, [loss.execution_values(now) for loss in losses])
    connection.execute(_CLOSE_ATTEMPT, [loss.attempt_values(now) for loss in losses])
    slots.let_next_go(connection, {row.slot for row in rows})


@dataclass(frozen=True, slots=True)
class _Loss:
    """A lost lease: it is queued again, but the third in a row may be what kills its workers."""

    row: Row[Any]
    message: str
    reason: str

    @property
    def is_last(self) -> bool:
        return bool(self.row.lost + 1 >= MAX_LOST_LEASES)

    def execution_values(self, now: datetime) -> Mapping[str, Any]:
        values = {"of_seq": self.row.seq, "times": self.row.lost + 1}
        if self.is_last:
            end = {"to_state": ExecutionState.FAILED.value, "next_due": None, "now": now}
            return {**values, **end, "said": self.message, "why": self.reason}
        again = {"to_state": ExecutionState.QUEUED.value, "next_due": now, "now": None}
        return {**values, **again, "said": None, "why": None}

    def attempt_values(self, now: datetime) -> Mapping[str, Any]:
        state = ExecutionState.FAILED if self.is_last else ExecutionState.RETRYING
        name = {"of_execution": self.row.id, "of_number": self.row.attempt}
        return {**name, "to_state": state.value, "said": self.message, "now": now}


def _repair(connection: Connection) -> None:
    """Let go what waits behind nothing: no path should leave it so, and none may for long."""
    slots.let_next_go(connection, connection.execute(_FORGOTTEN).scalars().all())
