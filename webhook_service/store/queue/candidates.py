"""Candidates: what might run now, the oldest of each project, from the projects in turn.

``queue`` says where to look for an open execution: ``later`` until it is due, ``ready`` from then
on, ``behind`` while another one is active in its slot. So a claim reads only what may really run,
however much waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, TextClause, bindparam, exists, func, select, update

from webhook_service.store.tables import (
    ACTIVE,
    LATER,
    OPEN,
    PENDING,
    READY,
    Moment,
    executions,
)

Queue = Literal["ready", "later", "behind"]
MAX_DUE = 512


_E = executions.c
_NOW = bindparam("now", type_=Moment)
_DUE = (
    select(_E.seq)
    .where(LATER, _E.due <= _NOW)
    .order_by(_E.due)
    .limit(MAX_DUE)
    .with_for_update(skip_locked=True)
)
_MAKE_READY = update(executions).where(_E.seq.in_(_DUE)).values(queue="ready")
_NEXT_DUE = select(func.min(_E.due)).where(LATER)
_MOVE = (
    update(executions)
    .where(_E.seq.in_(bindparam("seqs", expanding=True)), OPEN)
    .values(queue=bindparam("to"))
)


def _projects() -> Select[Any]:
    """A walk from project to project over the index: one probe each, however many rows it has."""
    first = select(func.min(_E.project).label("project"))
    walk = first.where(READY, _E.project > bindparam("after")).cte("walk", recursive=True)
    following = select(func.min(_E.project)).where(READY, _E.project > walk.c.project)
    walk = walk.union_all(select(following.scalar_subquery()).where(walk.c.project.is_not(None)))
    return select(walk.c.project).where(walk.c.project.is_not(None)).limit(bindparam("count"))


def _candidates() -> Select[Any]:
    """With the newest that waits in the same slot, and what is active in it."""
    other = executions.alias("other")
    same_slot = other.c.slot == _E.slot
    newest = (
        select(other.c.seq)
        .where(same_slot, OPEN, PENDING, other.c.coalesce, other.c.due.is_not(None))
        .order_by(other.c.ordered.desc(), other.c.seq.desc())
        .limit(1)
    )
    active = select(other.c.seq).where(same_slot, ACTIVE)
    return select(
        *(_E.seq, _E.id, _E.project, _E.receiver, _E.slot, _E.coalesce, _E.ordered),
        *(_E.state, _E.settled, _E.due, _E.queue),
        newest.scalar_subquery().label("newest"),
        active.scalar_subquery().label("active"),
    ).with_for_update(skip_locked=True, of=executions)


def _overdue(where: TextClause) -> Select[Any]:
    other = executions.alias("other")
    busy = exists().where(other.c.slot == _E.slot, other.c.seq != _E.seq, ACTIVE)
    return (
        select(_E.id, _E.due)
        .where(where, _E.due <= _NOW, ~busy)
        .order_by(_E.due)
        .limit(bindparam("count"))
    )


_OVERDUE = (_overdue(READY), _overdue(LATER))
_PROJECTS = _projects()
_CANDIDATES = _candidates()
_OF_PROJECT = (
    _CANDIDATES.where(READY, _E.project == bindparam("project"))
    .order_by(_E.due)
    .limit(bindparam("count"))
)
_NAMED = _CANDIDATES.where(OPEN, _E.id == bindparam("id"))
_BY_SEQ = _CANDIDATES.where(OPEN, _E.seq.in_(bindparam("seqs", expanding=True)))


def make_ready(connection: Connection, now: datetime) -> int:
    """Bring what has come due to where claims look, up to 512; returns how many."""
    return connection.execute(_MAKE_READY, {"now": now}).rowcount


def next_due(connection: Connection) -> datetime | None:
    """When the next execution that waits for its time is due."""
    due: datetime | None = connection.execute(_NEXT_DUE).scalar_one()
    return due


def overdue(connection: Connection, before: datetime, count: int) -> dict[str, datetime]:
    """Up to ``count`` of what was due before that moment, and waits for no slot, by id."""
    values = {"now": before, "count": count}
    rows = [row for query in _OVERDUE for row in connection.execute(query, values)]
    return {row.id: row.due for row in sorted(rows, key=lambda row: row.due)[:count]}


def projects_in_turn(connection: Connection, after: str, count: int) -> list[str]:
    """Up to ``count`` projects that have something ready: those after ``after``, then the rest."""
    found = list(connection.execute(_PROJECTS, {"after": after, "count": count}).scalars())
    if after and len(found) < count:
        begin = connection.execute(_PROJECTS, {"after": "", "count": count - len(found)})
        found += [project for project in begin.scalars() if project <= after]
    return found


def candidates_of(connection: Connection, project: str, count: int) -> list[Row[Any]]:
    """A project's candidates, the longest due first."""
    return list(connection.execute(_OF_PROJECT, {"project": project, "count": count}).all())


def candidate_named(connection: Connection, execution_id: str) -> list[Row[Any]]:
    """One execution, wherever it is queued."""
    return list(connection.execute(_NAMED, {"id": execution_id}).all())


def candidates_by_seq(connection: Connection, seqs: Iterable[int]) -> dict[int, Row[Any]]:
    """Candidates by number; those that another host has in hand are left out."""
    wanted = list(seqs)
    rows = connection.execute(_BY_SEQ, {"seqs": wanted}) if wanted else ()
    return {row.seq: row for row in rows}


def move(connection: Connection, rows: Iterable[Row[Any]], to: Queue) -> int:
    """Let open executions be looked for elsewhere; returns how many."""
    seqs = [row.seq for row in rows]
    return connection.execute(_MOVE, {"seqs": seqs, "to": to}).rowcount if seqs else 0
