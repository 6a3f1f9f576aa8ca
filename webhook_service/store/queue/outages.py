"""Outages in SQL: which executions wait for a server that does not answer, and their wake-up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.history.outage import Outage
from webhook_service.store.database.database import Database
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.tables import LATER, attempts, executions

UNANSWERED = ("unreachable", "cluster_down")
"""The reasons of a retry that say so."""
SOON = timedelta(seconds=5)
"""What is tried again by itself so soon needs no help."""
MAX_WOKEN = 500
MAX_SHOWN = 200

_E = executions.c
_A = attempts.c


class OutageStore:
    """Finds what waits for the end of an outage, receiver by receiver."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_waiting(self, after: str) -> Execution | None:
        """The longest waiting execution of the first such receiver whose id comes after this."""
        query = (
            select(executions)
            .where(self._waits(), _E.receiver > after)
            .order_by(_E.receiver, _E.seq)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return execution_from_row(row) if row else None

    def of_project(self, project: str) -> Sequence[Outage]:
        """What waits in a project, by receiver: of the first two hundred receivers."""
        running = _E.state == ExecutionState.RUNNING
        # That a server does not answer says more than that nobody asks it meanwhile.
        telling = case((_E.reason == UNANSWERED[0], _E.seq))
        query = (
            select(
                _E.receiver,
                func.count(_E.id.distinct()).label("waiting"),
                func.min(_A.finished).label("since"),
                func.min(_E.due).label("next_try"),
                func.max(case((running, 1), else_=0)).label("tried"),
                func.coalesce(func.max(telling), func.max(_E.seq)).label("seq"),
            )
            .join(attempts, and_(_A.execution == _E.id, _A.state == ExecutionState.RETRYING))
            .where(
                _E.project == project,
                _E.state.in_((ExecutionState.RETRYING, ExecutionState.RUNNING)),
                _E.reason.in_(UNANSWERED),
            )
            .group_by(_E.receiver)
            .order_by(_E.receiver)
            .limit(MAX_SHOWN)
        )
        with self._database.read() as connection:
            found = connection.execute(query).all()
            words = select(_E.seq, _E.message).where(_E.seq.in_([row.seq for row in found]))
            said = {row.seq: row.message for row in connection.execute(words)}
        return [
            Outage(
                row.receiver,
                row.waiting,
                row.since,
                None if row.tried else row.next_try,
                said.get(row.seq, ""),
            )
            for row in found
        ]

    def wake(self, receiver: str) -> Sequence[str]:
        """Let those of a receiver be tried now, 500 at the most; their ids."""

        def job(connection: Connection) -> Sequence[str]:
            some = (
                select(_E.seq)
                .where(self._waits(), _E.receiver == receiver)
                .limit(MAX_WOKEN)
                .with_for_update(skip_locked=True)
            )
            statement = (
                update(executions).where(_E.seq.in_(some)).values(due=self._database.now())
            ).returning(_E.id)
            return connection.execute(statement).scalars().all()

        return self._database.write(job)

    def _waits(self) -> ColumnElement[bool]:
        return and_(
            LATER,
            _E.state == ExecutionState.RETRYING,
            _E.reason.in_(UNANSWERED),
            _E.due > self._database.now() + SOON,
        )
