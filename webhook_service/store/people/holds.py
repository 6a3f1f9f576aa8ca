"""Holds of projects in SQL. Claims look at them (``store/queue/holding.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from webhook_service.errors import InvalidRequest, LimitReached, NotFound
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import ExecutionState
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
)
from webhook_service.model.people.hold import MAX_HOLDS, Hold
from webhook_service.store.database.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.tables import LATER, Moment, executions, holds

LIMIT_RETRY = 3600
_LET_RUN = (
    update(executions)
    .where(
        LATER,
        executions.c.project == bindparam("of_project"),
        executions.c.state == ExecutionState.HELD.value,
        executions.c.reason == Reason.PROJECT_HELD.value,
    )
    .values(
        state=ExecutionState.QUEUED.value,
        reason=None,
        message="",
        due=bindparam("now", type_=Moment),
        queue="ready",
    )
    .returning(executions.c.id)
)


class Released(NamedTuple):
    """A hold that has ended, and the ids of what may run now."""

    hold: Hold
    executions: Sequence[str]


class HoldStore:
    """Reads and writes holds, each within its project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, hold: Hold, by: Actor = APPLICATION) -> None:
        """Store a hold; from now on nothing of the project begins.

        Raises:
            InvalidRequest: the project has a hold of this name.
            LimitReached: it has too many.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            others = select(holds.c.id).where(holds.c.project == hold.project)
            if len(connection.execute(others).all()) >= MAX_HOLDS:
                raise LimitReached(
                    f"The project has {MAX_HOLDS} holds: release some first.", LIMIT_RETRY
                )
            connection.execute(
                insert(holds).values(
                    id=hold.id,
                    project=hold.project,
                    name=hold.name,
                    why=hold.why,
                    by=hold.by,
                    created=hold.created,
                )
            )
            changes = (FieldChange("name", None, hold.name), FieldChange("why", None, hold.why))
            return None, [_told(by, AuditAction.PROJECT_HELD, hold, changes)]

        try:
            write_audited(self._database, job)
        except IntegrityError as exc:
            raise InvalidRequest(
                f"The project is held as {hold.name!r} already: choose another name."
            ) from exc

    def release(self, project: str, hold_id: str, by: Actor = APPLICATION) -> Released:
        """End a hold; with the last one of a project, what it held may run.

        Raises:
            NotFound: no such hold in the project.
        """

        def job(connection: Connection) -> tuple[Released, Sequence[AuditEntry]]:
            where = (holds.c.id == hold_id, holds.c.project == project)
            row = connection.execute(delete(holds).where(*where).returning(holds)).one_or_none()
            if row is None:
                raise NotFound("Hold not found")
            hold = _hold(row)
            changes = (FieldChange("name", hold.name), FieldChange("why", hold.why))
            told = _told(by, AuditAction.PROJECT_RELEASED, hold, changes)
            left = select(holds.c.id).where(holds.c.project == project)
            if connection.execute(left).first() is not None:
                return Released(hold, ()), [told]
            named = {"of_project": project, "now": self._database.now()}
            found = connection.execute(_LET_RUN, named).scalars().all()
            return Released(hold, found), [told]

        return write_audited(self._database, job)

    def of(self, project: str) -> Sequence[Hold]:
        """The holds of a project, the oldest first."""
        query = select(holds).where(holds.c.project == project).order_by(holds.c.id)
        with self._database.read() as connection:
            return [_hold(row) for row in connection.execute(query)]


def _hold(row: Row[tuple[object, ...]]) -> Hold:
    return Hold(**row._mapping)


def _told(
    by: Actor, action: AuditAction, hold: Hold, changes: tuple[FieldChange, ...]
) -> AuditEntry:
    return AuditEntry(by, action, hold.project, hold.id, changes=changes)
