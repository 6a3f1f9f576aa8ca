"""Drifts in SQL: what others set on targets instead of what was pushed, each told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from webhook_service.driver import Observed
from webhook_service.model.execution import Execution
from webhook_service.model.notice import Happened
from webhook_service.model.people.audit import Actor, AuditAction, AuditEntry, FieldChange
from webhook_service.store.database.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.notices import tell
from webhook_service.store.tables import REVISION, audit, executions

MAX_NAME = 255


class YoungReceiver(NamedTuple):
    """A receiver that has changed a target lately, and the project that it is in."""

    project: str
    receiver: str


class DriftStore:
    """Finds what was deployed lately, and writes down what became of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_young(self, after: str, since: datetime) -> YoungReceiver | None:
        """The first receiver whose id comes after this and that has changed a target since then."""
        query = (
            select(executions.c.project, executions.c.receiver)
            .where(REVISION, executions.c.changed >= since, executions.c.receiver > after)
            .order_by(executions.c.receiver)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return YoungReceiver(*row) if row else None

    def note(self, expected: Execution, pushed: str, seen: Sequence[Observed]) -> list[Observed]:
        """Write down in the audit what runs instead of a push; gives what nobody knew yet.

        Args:
            pushed: the image that should run.
        """

        def job(connection: Connection) -> tuple[list[Observed], Sequence[AuditEntry]]:
            query = select(audit.c.changes).where(
                audit.c.receiver == expected.receiver,
                audit.c.subject == expected.id,
                audit.c.action == AuditAction.TARGET_DRIFTED.value,
            )
            known = {
                (change["field"], change["after"])
                for changes in connection.execute(query).scalars()
                for change in changes
            }
            new = [item for item in seen if (item.target, item.image) not in known]
            for item in new:
                told = f"{item.target} runs {item.image} instead of {pushed}."
                tell(connection, [expected.id], self._database.now(), Happened.DRIFTED, told)
            return new, [_told(expected, pushed, item) for item in new]

        return write_audited(self._database, job)


def _told(expected: Execution, pushed: str, item: Observed) -> AuditEntry:
    actor = Actor((item.by or "unknown")[:MAX_NAME], "target")
    return AuditEntry(
        actor,
        AuditAction.TARGET_DRIFTED,
        expected.project,
        expected.id,
        expected.receiver,
        (FieldChange(item.target, pushed, item.image),),
    )
