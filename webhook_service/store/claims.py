"""Claims: which execution runs next, by lease and fence, and what came of it.

Per slot one execution is active at a time. Of several pushes that wait in a slot only the newest
runs; the others end superseded by it, and the slot's watermark keeps an older push from running
after a newer one. Raw requests are not coalesced: they run one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from webhook_service.errors import StoreUnavailable
from webhook_service.events import event_to_json
from webhook_service.execution import ACTIVE, ENDED, PENDING, Claim, ExecutionState, Verdict
from webhook_service.receiver import TagRule
from webhook_service.registry_rule import RegistryRule
from webhook_service.store.database import Database
from webhook_service.store.dialects import insert_into
from webhook_service.store.executions import execution_from_row
from webhook_service.store.tables import attempts, executions, receivers, slots

MAX_LOST_LEASES = 3
_RECEIVER = select(receivers.c.config, receivers.c.match, receivers.c.registry).where(
    receivers.c.id == bindparam("id")
)


class Fenced(StoreUnavailable):
    """The lease was lost and the execution handed to another worker: this result is refused."""

    code = "fenced"


class ClaimStore:
    """Hands out executions and records their results.

    Args:
        lease: seconds a claim is valid unless it is renewed.
    """

    def __init__(self, database: Database, lease: float = 30.0) -> None:
        self._database = database
        self.lease = timedelta(seconds=lease)

    def claim(self, limit: int) -> list[Claim]:
        """Take up to ``limit`` due executions, each from another slot, and count the attempt."""
        return self._database.write(lambda connection: self._claim(connection, limit))

    def next_due(self) -> datetime | None:
        """When the next execution that could be claimed is due; those in a busy slot cannot."""
        query = select(func.min(executions.c.due).label("due")).where(_claimable())
        with self._database.read() as connection:
            due: datetime | None = connection.execute(query).scalar_one()
        return due

    def renew(self, claims: Sequence[Claim]) -> None:
        """Extend the leases of claims that are still being worked on."""
        until = datetime.now(UTC) + self.lease

        def job(connection: Connection) -> None:
            for claim in claims:
                connection.execute(
                    update(executions).where(*_held(claim)).values(lease_until=until)
                )

        self._database.write(job)

    def sweep(self) -> int:
        """Take back executions whose worker is gone; returns how many.

        One that was lost three times in a row fails: it may be what kills its workers.
        """
        return self._database.write(_sweep)

    def record(self, claim: Claim, verdict: Verdict) -> None:
        """Store what an attempt came to.

        Raises:
            Fenced: the claim is no longer valid; nothing was stored.
        """
        self._database.write(lambda connection: _record(connection, claim, verdict))

    def _claim(self, connection: Connection, limit: int) -> list[Claim]:
        now = datetime.now(UTC)
        claims: list[Claim] = []
        taken: set[str] = set()
        for due in connection.execute(_due(now, limit)).all():
            if due.slot in taken:
                continue
            taken.add(due.slot)
            row = due if due.state == ExecutionState.WAITING else _choose(connection, due, now)
            if row is not None and (claim := self._take(connection, row, now)) is not None:
                claims.append(claim)
        return claims

    def _take(self, connection: Connection, row: Row[Any], now: datetime) -> Claim | None:
        receiver = connection.execute(_RECEIVER, {"id": row.receiver}).one_or_none()
        if receiver is None:
            _end(connection, row, ExecutionState.CANCELLED, now, "The receiver was deleted.")
            return None
        resumed = row.state == ExecutionState.WAITING
        attempt = row.attempt if resumed else row.attempt + 1
        connection.execute(
            update(executions)
            .where(executions.c.id == row.id)
            .values(
                state=ExecutionState.RUNNING,
                lease_until=now + self.lease,
                fence=row.fence + 1,
                attempt=attempt,
                due=None,
            )
        )
        if resumed:
            _count_step(connection, row.id, attempt)
        else:
            connection.execute(
                insert(attempts).values(
                    execution=row.id, number=attempt, started=now, state=ExecutionState.RUNNING
                )
            )
        return Claim(
            execution=execution_from_row(row),
            config=receiver.config,
            tags=TagRule.model_validate(receiver.match["tags"]),
            registry=_registry_rule(receiver.registry),
            named=row.named,
            attempt=attempt,
            retries=row.retries,
            fence=row.fence + 1,
        )


def _registry_rule(stored: Any) -> RegistryRule | None:
    return None if stored is None else RegistryRule.model_validate(stored)


def _claimable() -> ColumnElement[bool]:
    """Executions that wait for nothing but their time."""
    other = executions.alias("other")
    busy = exists().where(other.c.slot == executions.c.slot, other.c.state.in_(ACTIVE))
    free = and_(executions.c.state.in_(PENDING), ~busy)
    return or_(executions.c.state == ExecutionState.WAITING, free)


def _due(now: datetime, limit: int) -> Any:
    """Executions that may run now, oldest due first."""
    return (
        select(executions)
        .where(executions.c.due <= now, _claimable())
        .order_by(executions.c.due)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _choose(connection: Connection, due: Row[Any], now: datetime) -> Row[Any] | None:
    """What runs next in a free slot, ending what it supersedes."""
    if not due.coalesce:
        return due
    pending = connection.execute(
        select(executions)
        .where(
            executions.c.slot == due.slot, executions.c.state.in_(PENDING), executions.c.coalesce
        )
        .order_by(executions.c.ordered.desc(), executions.c.seq.desc())
    ).all()
    newest, *older = pending
    for row in older:
        _supersede(connection, row, newest.id, now)
    if (passed := _pass_watermark(connection, newest)) is not None:
        _supersede(connection, newest, passed, now)
        return None
    return newest if newest.due <= now else None


def _pass_watermark(connection: Connection, row: Row[Any]) -> str | None:
    """Raise the slot's watermark to this push, or give the newer execution that set it."""
    mark = connection.execute(
        select(slots).where(slots.c.slot == row.slot).with_for_update()
    ).one_or_none()
    if mark is not None and (mark.ordered, mark.seq) > (row.ordered, row.seq):
        return str(mark.execution)
    values = {"ordered": row.ordered, "seq": row.seq, "execution": row.id}
    connection.execute(
        insert_into(connection.dialect.name, slots)
        .values(slot=row.slot, **values)
        .on_conflict_do_update(index_elements=["slot"], set_=values)
    )
    return None


def _supersede(connection: Connection, row: Row[Any], by: str, now: datetime) -> None:
    message = f"A newer push to the same target runs instead: {by}."
    _end(connection, row, ExecutionState.SUPERSEDED, now, message, superseded_by=by)


def _end(
    connection: Connection,
    row: Row[Any],
    state: ExecutionState,
    now: datetime,
    message: str,
    **values: Any,
) -> None:
    connection.execute(
        update(executions)
        .where(executions.c.id == row.id)
        .values(state=state, finished=now, message=message, due=None, lease_until=None, **values)
    )


def _count_step(connection: Connection, execution: str, attempt: int) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.execution == execution, attempts.c.number == attempt)
        .values(steps=attempts.c.steps + 1)
    )


def _held(claim: Claim) -> tuple[Any, ...]:
    return (
        executions.c.id == claim.execution.id,
        executions.c.fence == claim.fence,
        executions.c.state == ExecutionState.RUNNING,
    )


def _record(connection: Connection, claim: Claim, verdict: Verdict) -> None:
    now = datetime.now(UTC)
    ended = verdict.state in ENDED
    values: dict[str, Any] = {
        "state": verdict.state,
        "message": verdict.message,
        "reason": verdict.reason,
        "driver_state": {} if ended else dict(verdict.driver_state),
        "due": None if ended else now + timedelta(seconds=verdict.pause),
        "finished": now if ended else None,
        "lease_until": None,
        "lost": 0,
    }
    if verdict.changes is not None:
        values["changes"] = [asdict(change) for change in verdict.changes]
    if verdict.event is not None:
        values["event"] = event_to_json(verdict.event)
    if verdict.state is ExecutionState.RETRYING:
        values["retries"] = executions.c.retries + 1
    if not connection.execute(update(executions).where(*_held(claim)).values(values)).rowcount:
        raise Fenced(f"Execution {claim.execution.id} is no longer ours; its result is refused.")
    _close_attempt(connection, claim.execution.id, claim.attempt, now, verdict)


def _close_attempt(
    connection: Connection, execution: str, attempt: int, now: datetime, verdict: Verdict
) -> None:
    waiting = verdict.state is ExecutionState.WAITING
    connection.execute(
        update(attempts)
        .where(attempts.c.execution == execution, attempts.c.number == attempt)
        .values(state=verdict.state, message=verdict.message, finished=None if waiting else now)
    )


def _sweep(connection: Connection) -> int:
    now = datetime.now(UTC)
    lost = connection.execute(
        select(executions)
        .where(executions.c.state == ExecutionState.RUNNING, executions.c.lease_until < now)
        .with_for_update(skip_locked=True)
    ).all()
    for row in lost:
        _take_back(connection, row, now)
    return len(lost)


def _take_back(connection: Connection, row: Row[Any], now: datetime) -> None:
    count = row.lost + 1
    message = f"The worker was lost while it ran this ({count} times in a row)."
    poison = count >= MAX_LOST_LEASES
    state = ExecutionState.FAILED if poison else ExecutionState.QUEUED
    if poison:
        _end(connection, row, state, now, message, lost=count, reason="worker_lost")
    else:
        connection.execute(
            update(executions)
            .where(executions.c.id == row.id)
            .values(state=state, lost=count, due=now, lease_until=None, fence=row.fence + 1)
        )
    verdict = Verdict(ExecutionState.RETRYING if not poison else state, message)
    _close_attempt(connection, row.id, row.attempt, now, verdict)
