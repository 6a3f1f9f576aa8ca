"""Executions in SQL, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from webhook_service.driver import Change
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.events import event_from_json
from webhook_service.execution import ENDED, Attempt, Execution, ExecutionState
from webhook_service.store.database import Database
from webhook_service.store.pages import Page, PageRequest, fetch
from webhook_service.store.tables import attempts, executions, micros

_FILTERS = {
    "receiver": executions.c.receiver,
    "delivery": executions.c.delivery,
    "driver": executions.c.driver,
    "state": executions.c.state,
    "reason": executions.c.reason,
    "id": executions.c.id,
}
# What a replay has in common with what it repeats: the push, and where it belongs.
_REPLAYED = (
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


class ExecutionStore:
    """Reads executions, each within its project, and lets people repeat and cancel them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, project: str, execution_id: str) -> Execution:
        """One execution with its attempts.

        Raises:
            NotFound: no such execution in the project.
        """
        query = select(executions).where(
            executions.c.id == execution_id, executions.c.project == project
        )
        tries = (
            select(attempts).where(attempts.c.execution == execution_id).order_by(attempts.c.number)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise NotFound("Execution not found")
            found = tuple(_attempt(attempt) for attempt in connection.execute(tries))
        return execution_from_row(row, found)

    def page(self, project: str, page: PageRequest) -> Page[Execution]:
        """The project's executions, newest first, without their attempts."""
        query = select(executions).where(executions.c.project == project)
        with self._database.read() as connection:
            return fetch(connection, query, executions.c.seq, page, _FILTERS, execution_from_row)

    def replay(self, project: str, execution_id: str, replay_id: str, as_of: bool) -> Execution:
        """Queue an ended execution's event once more, as a new execution.

        Args:
            as_of: keep the old place in the order, so that newer pushes still win; otherwise the
                replay counts as the newest.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has not ended yet.
        """

        def job(connection: Connection) -> Row[Any]:
            row = _find(connection, project, execution_id)
            if row.state not in ENDED:
                raise InvalidRequest(f"The execution is {row.state}: cancel it, or let it end.")
            now = datetime.now(UTC)
            copied = {name: row._mapping[name] for name in _REPLAYED}
            values = copied | {
                "id": replay_id,
                "dedupe": replay_id,
                "ordered": row.ordered if as_of else now,
                "state": ExecutionState.QUEUED,
                "created": now,
                "due": now,
                "driver_state": {},
                "changes": [],
            }
            return connection.execute(insert(executions).values(values).returning(executions)).one()

        return execution_from_row(self._database.write(job))

    def cancel(self, project: str, execution_id: str, message: str) -> Execution:
        """End an execution now; a worker that runs it finds its result refused.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """

        def job(connection: Connection) -> Row[Any]:
            row = _find(connection, project, execution_id)
            if row.state in ENDED:
                raise InvalidRequest(f"The execution has ended already: {row.state}.")
            now, state = datetime.now(UTC), ExecutionState.CANCELLED
            connection.execute(
                update(attempts)
                .where(attempts.c.execution == execution_id, attempts.c.finished.is_(None))
                .values(state=state, message=message, finished=now)
            )
            return connection.execute(
                update(executions)
                .where(executions.c.id == execution_id)
                .values(
                    state=state,
                    message=message,
                    finished=now,
                    due=None,
                    lease_until=None,
                    fence=executions.c.fence + 1,
                )
                .returning(executions)
            ).one()

        return execution_from_row(self._database.write(job))

    def counts(self) -> dict[str, int]:
        """How many executions are in each state, over all projects."""
        query = select(executions.c.state, func.count()).group_by(executions.c.state)
        with self._database.read() as connection:
            return {state: count for state, count in connection.execute(query)}


def _find(connection: Connection, project: str, execution_id: str) -> Row[Any]:
    row = connection.execute(
        select(executions)
        .where(executions.c.id == execution_id, executions.c.project == project)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("Execution not found")
    return row


def execution_from_row(row: Row[Any], tries: tuple[Attempt, ...] = ()) -> Execution:
    """An execution from a row of its table."""
    return Execution(
        id=row.id,
        project=row.project,
        receiver=row.receiver,
        delivery=row.delivery,
        driver=row.driver,
        slot=row.slot,
        state=ExecutionState(row.state),
        event=event_from_json(row.event),
        identity=row.identity,
        order_key=f"{micros(row.ordered):017d}-{row.seq:012d}",
        created=row.created,
        due=row.due,
        finished=row.finished,
        reason=row.reason,
        message=row.message,
        changes=tuple(Change(**change) for change in row.changes),
        superseded_by=row.superseded_by,
        attempts=tries,
        driver_state=row.driver_state,
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(row.number, row.started, row.finished, row.state, row.message, row.steps)
