"""What a queued execution waits for, told whenever somebody reads it: so it is true then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.store.tables import ACTIVE, attempts, executions

ABORT = "webhook-service execution abort {id} --project {project}"

_E = executions.c
_SINCE = select(func.min(attempts.c.started)).where(attempts.c.execution == _E.id).scalar_subquery()
_IN_FRONT: Select[Any] = select(
    _E.id, _E.project, _E.slot, _E.interruption, _SINCE.label("since")
).where(_E.slot.in_(bindparam("slots", expanding=True)), ACTIVE)


def told_why(connection: Connection, found: Sequence[Execution]) -> list[Execution]:
    """The same executions; those that are queued say behind what, since when, and what to do."""
    queued = {each.slot for each in found if each.state is ExecutionState.QUEUED}
    if not queued:
        return list(found)
    rows = connection.execute(_IN_FRONT, {"slots": list(queued)}).all()
    in_front = {row.slot: row for row in rows}
    return [
        replace(each, message=_why(each, in_front)) if each.state is ExecutionState.QUEUED else each
        for each in found
    ]


def _why(execution: Execution, in_front: Mapping[str, Row[Any]]) -> str:
    row = in_front.get(execution.slot)
    if row is None:
        return execution.message or "Nothing is in front of it: the next free worker runs it."
    since = "" if row.since is None else f", which runs since {row.since:%Y-%m-%d %H:%M:%S} UTC"
    if row.interruption is not None:
        return f"It waits behind {row.id}{since} and is about to make room."
    command = ABORT.format(id=row.id, project=row.project)
    return f"It waits behind {row.id}{since}: {command} stops that one and goes back."
