"""Revisions in SQL: the executions that changed their target, and rollbacks to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, TextClause, func, select

from webhook_service.driver import PushEvent
from webhook_service.failpoints import failpoint
from webhook_service.model.as_json import event_to_json
from webhook_service.model.execution import Execution
from webhook_service.model.history.revision import WayBack
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
)
from webhook_service.model.receiver import Receiver
from webhook_service.store.database.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.history.requested import add_copy, find, newest_place
from webhook_service.store.tables import ACTIVE, REVISION, SETTLED, SUCCEEDED, executions

MAX_REVISIONS = 50
MAX_GOOD = 10
MAX_SLOTS = 20


class RevisionStore:
    """Reads what was deployed, and queues the way back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_slot(self, project: str, receiver: str) -> list[list[Execution]]:
        """The newest 50 revisions of each of the receiver's 20 newest slots, the newest first.

        What other receivers of the project did to such a slot is among them. They stand in the
        order in which they changed it; where all of them failed, those that succeeded before
        follow.
        """
        latest = func.max(executions.c.changed)
        slots = (
            select(executions.c.slot)
            .where(executions.c.receiver == receiver, executions.c.project == project, REVISION)
            .group_by(executions.c.slot)
            .order_by(latest.desc())
            .limit(MAX_SLOTS)
        )
        with self._database.read() as connection:
            names = connection.execute(slots).scalars().all()
            found = [_of_slot(connection, name) for name in names]
        return [pushes for pushes in found if pushes]

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
            now = self._database.now()
            values = {
                "receiver": receiver.id,
                "driver": receiver.spec.driver,
                "event": event_to_json(way.event),
                "identity": execution_id,
                "ordered": newest_place(connection, row.slot, now),
                "rolls_back": way.rolls_back,
                "back_to": dict(way.images) or None,
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


def _of_slot(connection: Connection, slot: str) -> list[Execution]:
    rows = [
        row
        for which, most in ((REVISION, MAX_REVISIONS), (SUCCEEDED, MAX_GOOD))
        for row in connection.execute(_newest(slot, which, most))
    ]
    by_id = {row.id: row for row in rows}
    return _pushes(sorted(by_id.values(), key=_age, reverse=True))


def _age(row: Row[Any]) -> tuple[datetime, int]:
    # A host of 0.1.0, beside this one during an upgrade, says when it finished only.
    return row.changed or row.finished or row.created, row.seq


def _newest(slot: str, which: TextClause, most: int) -> Select[Any]:
    return (
        select(executions)
        .where(executions.c.slot == slot, which)
        .order_by(executions.c.changed.desc())
        .limit(most)
    )


def _pushes(rows: Sequence[Row[Any]]) -> list[Execution]:
    found = (execution_from_row(row) for row in rows)
    return [execution for execution in found if isinstance(execution.event, PushEvent)]
