"""Executions that people ask for: copies of earlier ones, with their own place in the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from webhook_service.errors import NotFound
from webhook_service.model.execution import ExecutionState
from webhook_service.model.notification import owner_of
from webhook_service.model.people.audit import Actor, AuditAction, AuditEntry, FieldChange
from webhook_service.store.tables import OPEN, executions, slots

# What a copy has in common with what it repeats: the push, and where it belongs.
_COPIED = (
    "project",
    "receiver",
    "delivery",
    "driver",
    "slot",
    "coalesce",
    "named",
    "event",
    "identity",
)
_INSERT = insert(executions).returning(executions)
_PLACES = (
    select(slots.c.ordered).where(slots.c.slot == bindparam("of")),
    select(func.max(executions.c.ordered)).where(
        executions.c.slot == bindparam("of"), OPEN, executions.c.coalesce
    ),
)


def find(connection: Connection, project: str, execution_id: str) -> Row[Any]:
    """An execution's row, locked until the transaction ends.

    Raises:
        NotFound: no such execution in the project.
    """
    row = connection.execute(
        select(executions)
        .where(executions.c.id == execution_id, executions.c.project == project)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("Execution not found")
    return row


def add_copy(
    connection: Connection,
    row: Row[Any],
    execution_id: str,
    now: datetime,
    values: Mapping[str, Any],
) -> Row[Any]:
    """Queue a copy of an execution.

    Args:
        values: the columns that differ.
    """
    copied = {name: row._mapping[name] for name in _COPIED}
    fresh = {
        "id": execution_id,
        "dedupe": execution_id,
        "state": ExecutionState.QUEUED,
        "created": now,
        "due": now,
        "driver_state": {},
        "changes": [],
    }
    return connection.execute(_INSERT, {**copied, **fresh, **values}).one()


def told_of(by: Actor, action: AuditAction, row: Row[Any], **after: str) -> AuditEntry:
    """What the audit says of an execution, by its row from before.

    Args:
        after: what became of it; only the state is known from before.
    """
    changes = tuple(
        FieldChange(name, row.state if name == "state" else None, value)
        for name, value in after.items()
        if not (name == "state" and value == row.state)
    )
    project = owner_of(row.project)
    return AuditEntry(by, action, project, row.id, row.receiver, changes)


def newest_place(connection: Connection, slot: str, now: datetime) -> datetime:
    """A place in the slot's order after all that is there: senders' clocks may run ahead."""
    taken = (connection.execute(query, {"of": slot}).scalar_one_or_none() for query in _PLACES)
    places: list[datetime] = [now, *(moment for moment in taken if moment is not None)]
    return max(places)
