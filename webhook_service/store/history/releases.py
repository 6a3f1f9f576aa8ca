"""Releases in SQL: people let an execution through the rules that hold it.

What holds a whole project, a suspension and an approval have ends of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, select, update

from webhook_service.errors import InvalidRequest
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.people.audit import Actor, AuditAction, AuditEntry
from webhook_service.store.database.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.history.requested import find, told_of
from webhook_service.store.tables import OPEN, PENDING, executions

RELEASED = (Reason.MINIMUM_AGE, Reason.AFTER, Reason.FROZEN)
"""The rules of a receiver that an execution can be let through."""
_INSTEAD = {
    Reason.APPROVAL: "It waits for approval: webhook-service execution approve {id} -p {project}",
    Reason.SUSPENDED: "Its receiver is suspended: webhook-service receiver resume {receiver} -p "
    "{project}",
    Reason.PROJECT_HELD: "The project is held: webhook-service project holds -p {project} lists "
    "the holds to release.",
}

_E = executions.c


class ReleaseStore:
    """Lets held executions run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def release(self, project: str, execution_id: str, by: Actor) -> Execution:
        """Let an execution run that its receiver's rules hold.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: no such rule holds it, or a newer one would run in its place; the
                message says what to do.
        """

        def job(connection: Connection) -> tuple[Execution, Sequence[AuditEntry]]:
            held = find(connection, project, execution_id)
            _require_released(connection, held)
            row = connection.execute(
                update(executions)
                .where(_E.id == execution_id)
                .values(
                    state=ExecutionState.QUEUED,
                    reason=None,
                    message="",
                    due=self._database.now(),
                    queue="ready",
                    let_through=by.name[:255],
                )
                .returning(executions)
            ).one()
            told = told_of(by, AuditAction.EXECUTION_RELEASED, held, state=row.state)
            return execution_from_row(row), [told]

        return write_audited(self._database, job)


def _require_released(connection: Connection, row: Row[tuple[object, ...]]) -> None:
    if row.state != ExecutionState.HELD or row.reason not in RELEASED:
        said = _INSTEAD.get(row.reason) if row.state == ExecutionState.HELD else None
        told = said or f"No rule of its receiver holds the execution: it is {row.state}."
        raise InvalidRequest(told.format(id=row.id, project=row.project, receiver=row.receiver))
    newer = (
        select(_E.id)
        .where(_E.slot == row.slot, OPEN, PENDING, _E.coalesce, _E.due.is_not(None))
        .where(_E.reason.is_distinct_from(Reason.MINIMUM_AGE.value), _E.id != row.id)
        .where((_E.ordered > row.ordered) | ((_E.ordered == row.ordered) & (_E.seq > row.seq)))
        .order_by(_E.ordered.desc(), _E.seq.desc())
        .limit(1)
    )
    if row.coalesce and (other := connection.execute(newer).scalar_one_or_none()):
        raise InvalidRequest(
            f"A newer push to the same target waits, too, and runs instead of this one: release "
            f"{other}, or cancel it first."
        )
