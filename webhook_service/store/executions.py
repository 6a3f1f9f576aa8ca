"""Executions in SQL, as people read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select

from webhook_service.driver import Change
from webhook_service.errors import NotFound
from webhook_service.events import event_from_json
from webhook_service.execution import Attempt, Execution, ExecutionState
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


class ExecutionStore:
    """Reads executions, each within its project."""

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

    def counts(self) -> dict[str, int]:
        """How many executions are in each state, over all projects."""
        query = select(executions.c.state, func.count()).group_by(executions.c.state)
        with self._database.read() as connection:
            return {state: count for state, count in connection.execute(query)}


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
