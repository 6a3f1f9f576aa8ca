"""Approvals in SQL: executions that wait until enough people have said yes.

Such an execution is ``held`` with the reason ``approval`` and has no due time, so no claim sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from webhook_service.errors import InvalidRequest
from webhook_service.failpoints import failpoint
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.people.audit import Actor, AuditAction, AuditEntry
from webhook_service.model.people.ballot import voter_of
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import insert_into
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row, votes_on
from webhook_service.store.history.requested import find, told_of
from webhook_service.store.tables import UNDECIDED, approvals, executions, receivers

MAX_EXPIRED = 200
MAX_SHOWN = 200
_RULE = select(receivers.c.approval).where(receivers.c.id == bindparam("of"))


class ApprovalStore:
    """Takes the votes on held executions, and ends those that nobody approved in time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def undecided(self, project: str) -> Sequence[Execution]:
        """What waits for votes, oldest first, with the votes so far: the oldest two hundred."""
        query = select(executions).where(executions.c.project == project, UNDECIDED)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(executions.c.seq).limit(MAX_SHOWN)).all()
            return [execution_from_row(row, votes=votes_on(connection, row.id)) for row in rows]

    def count_undecided(self, project: str) -> int:
        """How many executions wait for votes."""
        query = select(func.count()).where(executions.c.project == project, UNDECIDED)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def approve(
        self,
        project: str,
        execution_id: str,
        by: Actor,
        held_until: datetime | None,
        link_of: str | None = None,
    ) -> Execution:
        """Count one person's yes; the last one that is needed lets the execution run.

        Saying yes twice is one vote.

        Args:
            held_until: the end of a freeze window that the execution has to wait for.
            link_of: the notification whose link brings the vote, which then counts only if this
                person has not voted before.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it does not wait for approval, or no longer; or the link is used up.
        """

        def job(connection: Connection) -> tuple[Execution, Sequence[AuditEntry]]:
            now = self._database.now()
            row = held = _undecided(connection, project, execution_id, now)
            _vote(connection, execution_id, by.name, True, now, link_of)
            said = votes_on(connection, execution_id)
            if sum(vote.approved for vote in said) >= row.approvals_needed:
                row = _release(connection, row.id, now, held_until)
            told = told_of(
                by, AuditAction.EXECUTION_APPROVED, held, state=row.state, **_brought(link_of)
            )
            return execution_from_row(row, votes=said), [told]

        approved = write_audited(self._database, job)
        failpoint("approve.committed")
        return approved

    def refuse(
        self, project: str, execution_id: str, by: Actor, link_of: str | None = None
    ) -> Execution:
        """End an execution that waits for approval: one no is enough.

        Raises:
            NotFound, InvalidRequest: see ``approve``.
        """

        def job(connection: Connection) -> tuple[Execution, Sequence[AuditEntry]]:
            now = self._database.now()
            held = _undecided(connection, project, execution_id, now)
            _vote(connection, execution_id, by.name, False, now, link_of)
            row = _cancel(connection, execution_id, Reason.REFUSED, f"Refused by {by.name}.", now)
            told = told_of(
                by, AuditAction.EXECUTION_REFUSED, held, state=row.state, **_brought(link_of)
            )
            return execution_from_row(row, votes=votes_on(connection, execution_id)), [told]

        return write_audited(self._database, job)

    def expire(self) -> int:
        """End executions whose time for approval is over, up to 200; returns how many."""
        message = "Not approved in time; replay it to ask again."

        def job(connection: Connection) -> int:
            now = self._database.now()
            late = select(executions.c.id).where(UNDECIDED, executions.c.approve_by <= now)
            ids = connection.execute(late.limit(MAX_EXPIRED).with_for_update(skip_locked=True))
            found = list(ids.scalars())
            for id_ in found:
                _cancel(connection, id_, Reason.APPROVAL_EXPIRED, message, now)
            return len(found)

        return self._database.write(job)


def waiting_for(rule: ApprovalRule, now: datetime) -> dict[str, Any]:
    """The columns of a new execution that people have to approve first."""
    return {
        "state": ExecutionState.HELD.value,
        "reason": Reason.APPROVAL.value,
        "due": None,
        "approvals_needed": rule.count,
        "approve_by": rule.deadline(now),
    }


def asked_again(connection: Connection, receiver: str, now: datetime) -> dict[str, Any]:
    """The columns of a replay: it has to be approved like the push it repeats."""
    stored = connection.execute(_RULE, {"of": receiver}).scalar_one_or_none()
    return {} if stored is None else waiting_for(ApprovalRule.model_validate(stored), now)


def keep_newest(connection: Connection, slot: str, now: datetime) -> None:
    """Of a slot's pushes that wait for approval only the newest goes on waiting."""
    undecided = (
        select(executions.c.id)
        .where(executions.c.slot == slot, executions.c.coalesce, UNDECIDED)
        .order_by(executions.c.ordered.desc(), executions.c.seq.desc())
        .with_for_update()
    )
    newest, *older = connection.execute(undecided).scalars()
    if older:
        connection.execute(
            update(executions)
            .where(executions.c.id.in_(older))
            .values(
                state=ExecutionState.SUPERSEDED,
                finished=now,
                superseded_by=newest,
                message=f"A newer push to the same target waits for approval instead: {newest}.",
            )
        )


def _undecided(connection: Connection, project: str, execution_id: str, now: datetime) -> Row[Any]:
    row = find(connection, project, execution_id)
    if row.state != ExecutionState.HELD or row.reason != Reason.APPROVAL:
        raise InvalidRequest(f"The execution does not wait for approval: it is {row.state}.")
    if row.approve_by <= now:
        raise InvalidRequest("The time for approval is over; replay the execution to ask again.")
    return row


def _vote(
    connection: Connection,
    execution_id: str,
    voter: str,
    approved: bool,
    now: datetime,
    link_of: str | None,
) -> None:
    voter = voter_of(voter)
    # The execution's row is locked, so of two that come at once one sees the other's vote.
    if link_of is not None and voter in {each.voter for each in votes_on(connection, execution_id)}:
        raise InvalidRequest(f"{voter} has voted already: the link is used up.")
    values = {"approved": approved, "at": now}
    connection.execute(
        insert_into(connection.dialect.name, approvals)
        .values(execution=execution_id, voter=voter[:255], **values)
        .on_conflict_do_update(index_elements=["execution", "voter"], set_=values)
    )


def _brought(link_of: str | None) -> dict[str, str]:
    """What the audit says of the way that a vote came."""
    return {} if link_of is None else {"notification": link_of}


def _release(
    connection: Connection, execution_id: str, now: datetime, held_until: datetime | None
) -> Row[Any]:
    return connection.execute(
        update(executions)
        .where(executions.c.id == execution_id)
        .values(
            state=ExecutionState.HELD if held_until else ExecutionState.QUEUED,
            reason=Reason.FROZEN if held_until else None,
            due=held_until or now,
            queue="ready",
            approve_by=None,
        )
        .returning(executions)
    ).one()


def _cancel(
    connection: Connection, execution_id: str, reason: Reason, message: str, now: datetime
) -> Row[Any]:
    return connection.execute(
        update(executions)
        .where(executions.c.id == execution_id)
        .values(state=ExecutionState.CANCELLED, reason=reason, message=message, finished=now)
        .returning(executions)
    ).one()
