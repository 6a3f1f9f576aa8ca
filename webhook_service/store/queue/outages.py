"""Outages in SQL: which executions wait for a server that does not answer, and their wake-up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, and_, select, update

from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.store.database.database import Database
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.tables import LATER, executions

UNANSWERED = ("unreachable", "cluster_down")
"""The reasons of a retry that say so."""
SOON = timedelta(seconds=5)
"""What is tried again by itself so soon needs no help."""
MAX_WOKEN = 500

_E = executions.c


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
