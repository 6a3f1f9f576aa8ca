"""Slots: what is changed in order. One execution is active in a slot; the others wait or give way.

A slot's watermark is the newest push that ever ran in it: nothing older runs after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import Insert

from webhook_service.model.delivery import Reason
from webhook_service.model.execution import GIVING_WAY, ExecutionState
from webhook_service.store.database.dialects import insert_into
from webhook_service.store.queue import attempts
from webhook_service.store.queue.attempts import AttemptOutcome
from webhook_service.store.tables import (
    ACTIVE,
    BEHIND,
    OPEN,
    PENDING,
    Moment,
    executions,
    slots,
)

MAX_ENDED = 200
Place = tuple[datetime, int]

_E = executions.c
_SLOTS: BindParameter[Any] = bindparam("slots", expanding=True)
_SEQS: BindParameter[Any] = bindparam("seqs", expanding=True)
_LINE = (_E.seq, _E.id, _E.slot, _E.ordered, _E.state, _E.settled, _E.reason)
_WAITING_PUSHES: Select[Any] = (
    select(*_LINE)
    .where(_E.slot.in_(_SLOTS), OPEN, PENDING, _E.coalesce, ~_E.settled)
    .order_by(_E.slot, _E.ordered, _E.seq)
    .limit(MAX_ENDED)
    .with_for_update(skip_locked=True)
)
_SETTLED: Select[Any] = (
    select(*_LINE).where(_E.slot.in_(_SLOTS), OPEN, _E.settled).with_for_update(skip_locked=True)
)
# Hosts lock watermarks in the same order, so that none waits for another in a circle.
_MARKS: Select[Any] = (
    select(slots.c.slot, slots.c.ordered, slots.c.seq, slots.c.execution.label("id"))
    .where(slots.c.slot.in_(_SLOTS))
    .order_by(slots.c.slot)
    .with_for_update()
)
# Locked: whoever ends one of them waits until this transaction has.
_STILL_ACTIVE: Select[Any] = (
    select(*_LINE, _E.coalesce, _E.interruption)
    .where(_E.seq.in_(_SEQS), ACTIVE)
    .with_for_update(skip_locked=True)
)
_NEXT_BEHIND = select(func.min(_E.seq)).where(_E.slot.in_(_SLOTS), BEHIND).group_by(_E.slot)
_LET_GO = update(executions).where(_E.seq.in_(_SEQS), BEHIND).values(queue="ready")
_END = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"), OPEN)
    .values(
        state=bindparam("to_state"),
        finished=bindparam("now", type_=Moment),
        message=bindparam("said"),
        superseded_by=bindparam("by"),
        reason=bindparam("why"),
        # What gave way had not completed.
        settled=case((_E.reason == GIVING_WAY, false()), else_=_E.settled),
        due=None,
        lease_until=None,
    )
)


@dataclass(frozen=True, slots=True)
class Ending:
    """An open execution that ends without being run (again), and why."""

    row: Row[Any]
    state: ExecutionState
    message: str
    by: str | None = None
    reason: Reason | None = None


def place(row: Row[Any]) -> Place:
    """Where an execution, or a watermark, stands in the order of its slot."""
    return row.ordered, row.seq


def superseded(row: Row[Any], by: str) -> Ending:
    """The end of what gives way to a newer push: a settled one has done its work."""
    if row.settled and row.reason != GIVING_WAY:
        message = f"Complete; a newer push took over its tidying up: {by}."
        return Ending(row, ExecutionState.SUCCEEDED, message)
    message = f"A newer push to the same target runs instead: {by}."
    return Ending(row, ExecutionState.SUPERSEDED, message, by)


def end(connection: Connection, endings: Sequence[Ending], now: datetime) -> None:
    """End open executions."""
    if not endings:
        return
    values = [
        {
            "of_seq": each.row.seq,
            "to_state": each.state.value,
            "said": each.message,
            "by": each.by,
            "why": each.reason and each.reason.value,
            "now": now,
        }
        for each in endings
    ]
    connection.execute(_END, values)
    # An attempt is open while its execution waits; a retry has closed it.
    waited = [each for each in endings if each.row.state == ExecutionState.WAITING]
    outcomes = [AttemptOutcome(each.row.id, each.state, each.message, now) for each in waited]
    attempts.close_open(connection, outcomes)


def waiting_pushes(connection: Connection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """The pushes that wait in some slots, the oldest first, up to 200."""
    wanted = list(names)
    return connection.execute(_WAITING_PUSHES, {"slots": wanted}).all() if wanted else ()


def settled(connection: Connection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """What has only tidying up left in some slots."""
    wanted = list(names)
    return connection.execute(_SETTLED, {"slots": wanted}).all() if wanted else ()


def still_active(connection: Connection, seqs: Iterable[int]) -> Mapping[str, Row[Any]]:
    """Which of some executions are active and stay so until this transaction ends, by slot."""
    wanted = list(seqs)
    found = connection.execute(_STILL_ACTIVE, {"seqs": wanted}) if wanted else ()
    return {row.slot: row for row in found}


def watermarks(connection: Connection, names: Iterable[str]) -> Mapping[str, Row[Any]]:
    """The watermarks of those slots that have one, locked until the transaction ends."""
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


def let_next_go(connection: Connection, names: Iterable[str]) -> None:
    """Let the first that waits behind others in each of these slots be claimed.

    To be called in the transaction that frees a slot.
    """
    wanted = list(names)
    first = connection.execute(_NEXT_BEHIND, {"slots": wanted}).scalars().all() if wanted else ()
    if first:
        connection.execute(_LET_GO, {"seqs": list(first)})


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
