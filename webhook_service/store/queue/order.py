"""Order: of what waits in a slot, which one runs, and which ones end because of it.

Of several pushes only the newest runs; the others end superseded by it, and the slot's watermark
keeps an older push from running after a newer one. Raw requests are not coalesced: they run one
after the other. What is settled makes room for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from webhook_service.model.execution import ExecutionState
from webhook_service.store.queue import slots
from webhook_service.store.queue.candidates import candidates_by_seq
from webhook_service.store.queue.slots import Ending, superseded

Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Candidates by what stands in their way; of each slot at most one has its turn."""

    now: list[Row[Any]] = field(default_factory=list)
    behind: list[Row[Any]] = field(default_factory=list)
    early: list[Row[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Turn:
    """What may run, one of each slot, and what ends without running."""

    run: list[Row[Any]]
    endings: list[Ending]


def sort(rows: Iterable[Row[Any]], now: datetime) -> Sorted:
    """Tell candidates that may run now from those that wait for their time or their slot."""
    found, taken = Sorted(), set()
    for row in rows:
        if row.due is None or row.due > now:
            found.early.append(row)
        elif row.active not in (None, row.seq):
            found.behind.append(row)
        elif row.slot not in taken:
            taken.add(row.slot)
            found.now.append(row)
    return found


def settle(
    connection: Connection, chosen: Sequence[Row[Any]], behind: Sequence[Row[Any]], now: datetime
) -> Turn:
    """Decide what runs in the slot of each chosen candidate, and what ends because of it.

    In the slots of those that are ``behind``, all but the newest push ends now.
    """
    newest = _newest(connection, [*chosen, *behind])
    first = [_first(row, newest.get(row.slot), now) for row in chosen]
    wanted = [row for row in first if row is not None]
    marks = slots.watermarks(connection, [row.slot for row in wanted if _is_push(row)])
    passed = {row.slot: marks[row.slot] for row in wanted if _is_passed(row, marks)}
    run = [row for row in wanted if row.slot not in passed]
    slots.raise_watermarks(connection, [row for row in run if _is_push(row)])
    ahead = {slot: (_place(row), row.id) for slot, row in newest.items()}
    ahead |= {slot: (_place(mark), mark.execution) for slot, mark in passed.items()}
    ahead |= {row.slot: (_place(row), row.id) for row in run if row.coalesce}
    return Turn(run, [*_overtaken(connection, ahead), *_relieved(connection, run)])


def _newest(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, Row[Any]]:
    """The newest push that waits in each slot, where there is one and no other host has it."""
    waiting = {row.seq: row for row in rows if row.coalesce and row.newest == row.seq}
    others = {row.newest for row in rows if row.coalesce and row.newest is not None} - set(waiting)
    found = [*waiting.values(), *candidates_by_seq(connection, others).values()]
    return {row.slot: row for row in found}


def _first(row: Row[Any], newest: Row[Any] | None, now: datetime) -> Row[Any] | None:
    """Whose turn it is: the candidate's, that of the newest push, or nobody's yet."""
    if not row.coalesce or row.newest is None or _holds_slot(row):
        return row
    if newest is None:
        return None
    if newest.due > now or (row.settled and _place(newest) < _place(row)):
        return row if row.state == ExecutionState.WAITING or newest.seq == row.seq else None
    return newest


def _overtaken(connection: Connection, ahead: Mapping[str, tuple[Place, str]]) -> Iterator[Ending]:
    for row in slots.coalescing(connection, ahead):
        place, execution = ahead[row.slot]
        if _place(row) < place:
            yield superseded(row, execution)


def _relieved(connection: Connection, run: Sequence[Row[Any]]) -> Iterator[Ending]:
    """What was settled in the slots where something else runs now."""
    running = {row.slot: row for row in run}
    for row in slots.settled(connection, running):
        if row.seq != running[row.slot].seq:
            yield superseded(row, running[row.slot].id)


def _place(row: Row[Any]) -> Place:
    return row.ordered, row.seq


def _is_push(row: Row[Any]) -> bool:
    """Whether the candidate competes with others for its slot, by its place in the order."""
    return bool(row.coalesce) and row.state != ExecutionState.WAITING


def _holds_slot(row: Row[Any]) -> bool:
    """Whether the candidate follows a rollout, and so is the active one itself."""
    return row.state == ExecutionState.WAITING and not row.settled


def _is_passed(row: Row[Any], marks: Mapping[str, Row[Any]]) -> bool:
    mark = marks.get(row.slot)
    return _is_push(row) and mark is not None and _place(mark) > _place(row)
