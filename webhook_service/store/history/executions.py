"""Executions in SQL, as people read them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from webhook_service.errors import Change, InvalidRequest, NotFound
from webhook_service.model.as_json import event_from_json
from webhook_service.model.audit import APPLICATION, Actor, AuditAction, AuditEntry
from webhook_service.model.backlog import Backlog
from webhook_service.model.execution import (
    ENDED,
    Approval,
    Attempt,
    Execution,
    ExecutionState,
    Vote,
)
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.database import Database
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.requested import find, told_of
from webhook_service.store.pages import fetch
from webhook_service.store.queue.attempts import AttemptOutcome, close_open
from webhook_service.store.queue.slots import let_next_go
from webhook_service.store.sealing import Sealer
from webhook_service.store.tables import (
    LATER,
    OPEN,
    READY,
    RUNNING,
    SETTLED,
    approvals,
    attempts,
    executions,
    micros,
)

MAX_IDS = 500

_FILTERS = {
    "receiver": executions.c.receiver,
    "delivery": executions.c.delivery,
    "driver": executions.c.driver,
    "state": executions.c.state,
    "reason": executions.c.reason,
    "id": executions.c.id,
}


class ExecutionStore:
    """Reads executions, each within its project, and lets people cancel them."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

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
            votes = votes_on(connection, execution_id) if row.approvals_needed else ()
        return execution_from_row(row, found, votes)

    def page(self, project: str, page: PageRequest) -> Page[Execution]:
        """The project's executions, newest first, without their attempts."""
        order, build = executions.c.seq, execution_from_row
        with self._database.read() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, build)

    def cancel(
        self, project: str, execution_id: str, message: str, by: Actor = APPLICATION
    ) -> Execution:
        """End an execution now; a worker that runs it finds its result refused.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            row = find(connection, project, execution_id)
            if row.state in ENDED:
                raise InvalidRequest(f"The execution has ended already: {row.state}.")
            now, state = datetime.now(UTC), ExecutionState.CANCELLED
            close_open(connection, [AttemptOutcome(execution_id, state, message, now)])
            ended = connection.execute(
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
            let_next_go(connection, [ended.slot])
            return ended, [told_of(by, AuditAction.EXECUTION_CANCELLED, row, state=ended.state)]

        return execution_from_row(write_audited(self._database, job))

    def ended(self, ids: Collection[str]) -> list[Execution]:
        """Those of some executions, of any project, that have ended or are settled."""
        query = select(executions).where(
            executions.c.id.in_(bindparam("ids", expanding=True)),
            or_(executions.c.state.in_(ENDED), SETTLED),
        )
        wanted, found = list(ids), []
        with self._database.read() as connection:
            for start in range(0, len(wanted), MAX_IDS):
                some = {"ids": wanted[start : start + MAX_IDS]}
                found += [execution_from_row(row) for row in connection.execute(query, some)]
        return found

    def backlog(self) -> Backlog:
        """What has not ended, over all projects."""
        counted = select(executions.c.state, func.count()).group_by(executions.c.state)
        earliest = select(func.min(executions.c.due))
        with self._database.read() as connection:
            counts = {
                ExecutionState(state): count
                for query in (counted.where(OPEN), counted.where(RUNNING))
                for state, count in connection.execute(query)
            }
            due = [connection.execute(earliest.where(queue)).scalar() for queue in (READY, LATER)]
        return Backlog(counts, min((moment for moment in due if moment is not None), default=None))


def votes_on(connection: Connection, execution_id: str) -> tuple[Vote, ...]:
    """What people said to an execution, in the order in which they did."""
    query = select(approvals).where(approvals.c.execution == execution_id).order_by(approvals.c.at)
    return tuple(Vote(row.voter, row.approved, row.at) for row in connection.execute(query))


def execution_from_row(
    row: Row[Any], tries: tuple[Attempt, ...] = (), votes: tuple[Vote, ...] = ()
) -> Execution:
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
        rolls_back=row.rolls_back,
        replay_of=row.replay_of,
        requested_by=row.requested_by,
        approval=_approval(row, votes),
        attempts=tries,
        driver_state=row.driver_state,
    )


def _approval(row: Row[Any], votes: tuple[Vote, ...]) -> Approval | None:
    if row.approvals_needed is None:
        return None
    return Approval(row.approvals_needed, row.approve_by, votes)


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(row.number, row.started, row.finished, row.state, row.message, row.steps)
