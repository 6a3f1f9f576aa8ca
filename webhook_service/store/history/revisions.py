"""Revisions in SQL: the executions that succeeded, by receiver and slot, and rollbacks to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from webhook_service.driver import PushEvent
from webhook_service.failpoints import failpoint
from webhook_service.model.as_json import event_to_json
from webhook_service.model.audit import APPLICATION, Actor, AuditAction, AuditEntry, FieldChange
from webhook_service.model.execution import Execution
from webhook_service.model.receiver import Receiver
from webhook_service.model.revision import WayBack
from webhook_service.store.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.history.requested import add_copy, find, newest_place
from webhook_service.store.tables import ACTIVE, SETTLED, SUCCEEDED, executions

MAX_REVISIONS = 50
MAX_SLOTS = 20


class RevisionStore:
    """Reads what was deployed, and queues the way back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_slot(self, project: str, receiver: str) -> list[list[Execution]]:
        """The newest 50 revisions of each of the receiver's 20 newest slots, the newest first.

        What other receivers of the project did to such a slot is among them.
        """
        latest = func.max(executions.c.finished)
        slots = (
            select(executions.c.slot)
            .where(executions.c.receiver == receiver, executions.c.project == project, SUCCEEDED)
            .group_by(executions.c.slot)
            .order_by(latest.desc())
            .limit(MAX_SLOTS)
        )
        with self._database.read() as connection:
            names = connection.execute(slots).scalars().all()
            found = [connection.execute(_succeeded(name)).all() for name in names]
        return [_pushes(rows) for rows in found if _pushes(rows)]

    def active(self, slot: str) -> list[Execution]:
        """What runs, follows its rollout or tidies up in a slot, newest first; pushes only."""
        query = select(executions).where(executions.c.slot == slot)
        with self._database.read() as connection:
            found = [connection.execute(query.where(of)).all() for of in (ACTIVE, SETTLED)]
        return _pushes([row for rows in found for row in rows])

    def roll_back(
        self, receiver: Receiver, way: WayBack, execution_id: str, by: Actor = APPLICATION
    ) -> Execution:
        """Queue the way back, as the newest push of its slot.

        Raises:
            NotFound: the push that it undoes is gone.
        """

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            row = find(connection, receiver.project, way.undone.id)
            now = datetime.now(UTC)
            values = {
                "receiver": receiver.id,
                "driver": receiver.spec.driver,
                "event": event_to_json(way.event),
                "identity": execution_id,
                "ordered": newest_place(connection, row.slot, now),
                "rolls_back": row.identity,
                "requested_by": by.name,
            }
            made = add_copy(connection, row, execution_id, now, values)
            return made, [_told(by, receiver, made, row)]

        made = write_audited(self._database, job)
        failpoint("rollback.committed")
        return execution_from_row(made)


def _told(by: Actor, receiver: Receiver, made: Row[Any], undone: Row[Any]) -> AuditEntry:
    changes = (
        FieldChange("image", undone.event["image"], made.event["image"]),
        FieldChange("execution", undone.id, made.id),
    )
    action = AuditAction.RECEIVER_ROLLED_BACK
    return AuditEntry(by, action, receiver.project, receiver.id, receiver.id, changes)


def _succeeded(slot: str) -> Select[Any]:
    return (
        select(executions)
        .where(executions.c.slot == slot, SUCCEEDED)
        .order_by(executions.c.finished.desc())
        .limit(MAX_REVISIONS)
    )


def _pushes(rows: Sequence[Row[Any]]) -> list[Execution]:
    found = (execution_from_row(row) for row in rows)
    return [execution for execution in found if isinstance(execution.event, PushEvent)]
