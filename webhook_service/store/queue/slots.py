"""Slots: what is changed in order. Each has a watermark, the newest push that ever ran in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, func, or_, select, update
from sqlalchemy.sql.dml import Insert

from webhook_service.model.execution import ExecutionState
from webhook_service.store.dialects import insert_into
from webhook_service.store.tables import (
    ACTIVE,
    BEHIND,
    OPEN,
    PENDING,
    SETTLED,
    Moment,
    attempts,
    executions,
    slots,
)

MAX_ENDED = 200

_E = executions.c
_SLOTS: BindParameter[Any] = bindparam("slots", expanding=True)
_LINE = (_E.seq, _E.id, _E.slot, _E.ordered, _E.state, _E.settled)
_COALESCING: Select[Any] = (
    select(*_LINE)
    .where(_E.slot.in_(_SLOTS), OPEN, PENDING, _E.coalesce)
    .order_by(_E.slot, _E.ordered, _E.seq)
    .limit(MAX_ENDED)
    .with_for_update(skip_locked=True)
)
_SETTLED: Select[Any] = (
    select(*_LINE).where(_E.slot.in_(_SLOTS), SETTLED).with_for_update(skip_locked=True)
)
_MARKS = select(slots).where(slots.c.slot.in_(_SLOTS)).order_by(slots.c.slot).with_for_update()
_STILL_ACTIVE = (
    select(_E.seq)
    .where(_E.seq.in_(bindparam("seqs", expanding=True)), ACTIVE)
    .with_for_update(read=True, skip_locked=True)
)
_NEXT_BEHIND = select(func.min(_E.seq)).where(_E.slot.in_(_SLOTS), BEHIND).group_by(_E.slot)
_LET_GO = (
    update(executions)
    .where(_E.seq.in_(bindparam("seqs", expanding=True)), BEHIND)
    .values(queue="ready")
    .returning(_E.id)
)
_END = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"), OPEN)
    .values(
        state=bindparam("to_state"),
        finished=bindparam("now", type_=Moment),
        message=bindparam("said"),
        superseded_by=bindparam("by"),
        due=None,
        lease_until=None,
    )
)
_CLOSE_ATTEMPTS = (
    update(attempts)
    .where(attempts.c.execution == bindparam("of_execution"), attempts.c.finished.is_(None))
    .values(
        state=bindparam("to_state"),
        message=bindparam("said"),
        finished=bindparam("now", type_=Moment),
    )
)


@dataclass(frozen=True, slots=True)
class Ending:
    """An open execution that ends without being run (again), and why."""

    row: Row[Any]
    state: ExecutionState
    message: str
    by: str | None = None

    def execution_values(self, now: datetime) -> Mapping[str, Any]:
        return {**self._said(now), "of_seq": self.row.seq, "by": self.by}

    def attempt_values(self, now: datetime) -> Mapping[str, Any]:
        return {**self._said(now), "of_execution": self.row.id}

    def _said(self, now: datetime) -> Mapping[str, Any]:
        return {"to_state": self.state.value, "said": self.message, "now": now}


def superseded(row: Row[Any], by: str) -> Ending:
    """The end of what gives way to a newer push: a settled one has done its work."""
    if row.settled:
        message = f"Complete; a newer push took over its tidying up: {by}."
        return Ending(row, ExecutionState.SUCCEEDED, message)
    message = f"A newer push to the same target runs instead: {by}."
    return Ending(row, ExecutionState.SUPERSEDED, message, by)


def end(connection: Connection, endings: Sequence[Ending], now: datetime) -> None:
    """End open executions."""
    if not endings:
        return
    connection.execute(_END, [each.execution_values(now) for each in endings])
    if attempts_left := [each.attempt_values(now) for each in endings if each.row.settled]:
        connection.execute(_CLOSE_ATTEMPTS, attempts_left)


def coalescing(connection: Connection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """The pushes that wait in some slots, the oldest first, up to 200."""
    wanted = list(names)
    return connection.execute(_COALESCING, {"slots": wanted}).all() if wanted else ()


def settled(connection: Connection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """What has only tidying up left in some slots."""
    wanted = list(names)
    return connection.execute(_SETTLED, {"slots": wanted}).all() if wanted else ()


def still_active(connection: Connection, seqs: Iterable[int]) -> set[int]:
    """Which of some executions are active and stay so until this transaction ends."""
    wanted = list(seqs)
    return set(connection.execute(_STILL_ACTIVE, {"seqs": wanted}).scalars()) if wanted else set()


def watermarks(connection: Connection, names: Iterable[str]) -> Mapping[str, Row[Any]]:
    """The watermarks of those slots that have one, locked in their order."""
    wanted = sorted(names)
    found = connection.execute(_MARKS, {"slots": wanted}) if wanted else ()
    return {row.slot: row for row in found}


def raise_watermarks(connection: Connection, rows: Iterable[Row[Any]]) -> None:
    """Let nothing older than these pushes run in their slots."""
    marks = [
        {"slot": row.slot, "ordered": row.ordered, "seq": row.seq, "execution": row.id}
        for row in sorted(rows, key=lambda row: row.slot)
    ]
    if marks:
        connection.execute(_raise_watermark(connection.dialect.name), marks)


def let_next_go(connection: Connection, names: Iterable[str]) -> list[str]:
    """Let the first that waits behind others in each of these slots be claimed; gives their ids.

    To be called in the transaction that frees a slot.
    """
    wanted = list(names)
    if not wanted:
        return []
    first = list(connection.execute(_NEXT_BEHIND, {"slots": wanted}).scalars())
    if not first:
        return []
    return list(connection.execute(_LET_GO, {"seqs": first}).scalars())


@cache
def _raise_watermark(dialect: str) -> Insert:
    statement = insert_into(dialect, slots)
    new = statement.excluded
    values = {"ordered": new.ordered, "seq": new.seq, "execution": new.execution}
    newer = or_(
        slots.c.ordered < new.ordered,
        (slots.c.ordered == new.ordered) & (slots.c.seq < new.seq),
    )
    return statement.on_conflict_do_update(index_elements=["slot"], set_=values, where=newer)
