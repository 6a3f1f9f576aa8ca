"""Executions in SQL, as people read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, false, func, or_, select, update

from webhook_service.driver import Interruption
from webhook_service.errors import Change, InvalidRequest, NotFound
from webhook_service.images import parse_image
from webhook_service.model.as_json import event_from_json
from webhook_service.model.execution import (
    ENDED,
    GIVING_WAY,
    Approval,
    Attempt,
    Execution,
    ExecutionState,
    Vote,
)
from webhook_service.model.history.backlog import Backlog
from webhook_service.model.history.revision import ABORTED
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import APPLICATION, Actor, AuditAction, AuditEntry
from webhook_service.store.database.database import Database
from webhook_service.store.filters import Begins, Filter, Indexed
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.in_front import ABORT, told_why
from webhook_service.store.history.requested import find, told_of
from webhook_service.store.pages import fetch
from webhook_service.store.queue.attempts import AttemptOutcome, close_open
from webhook_service.store.queue.interruptions import abort
from webhook_service.store.queue.slots import let_next_go
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import (
    IMAGE_NAME,
    LATER,
    READY,
    SETTLED,
    approvals,
    attempts,
    executions,
    micros,
)

MAX_IDS = 500
_NOT_GIVING_WAY = or_(executions.c.reason.is_(None), executions.c.reason != GIVING_WAY)
CANCELLED = "Cancelled before it had changed anything that is recorded."
CANCELLED_MIDWAY = "Cancelled midway: what it had changed already stays."
HAS_CHANGED = (
    "The execution has begun to change its target: {command} stops it and goes back. To end it and "
    "leave all as it is now, cancel it with force."
)

_FILTERS: Mapping[str, Filter] = {
    "receiver": Indexed(executions.c.receiver, names_project=True),
    "delivery": Indexed(executions.c.delivery, names_project=True),
    "driver": Indexed(executions.c.driver),
    "state": Indexed(executions.c.state),
    "reason": Indexed(executions.c.reason),
    "image": Indexed(IMAGE_NAME),
    "id": Indexed(executions.c.id, names_project=True),
    "idPrefix": Begins(executions.c.id),
}


# Of those that the filter ``image`` leaves.
_IMAGE_FILTERS: Mapping[str, Filter] = {
    "tag": lambda text: executions.c.event["tag"].as_string() == text,
    "digest": lambda text: executions.c.event["digest"].as_string() == text,
}


class ExecutionStore:
    """Reads executions, each within its project, and lets people cancel them."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def has(self, execution_id: str) -> bool:
        """Whether there is such an execution, of whichever project."""
        query = select(executions.c.seq).where(executions.c.id == execution_id)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

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
            (execution,) = told_why(connection, [execution_from_row(row, found, votes)])
        return execution

    def page(self, project: str, page: PageRequest) -> Page[Execution]:
        """The project's executions, newest first, without their attempts.

        The filter ``image`` is a repository, alone or with the tag or digest that was pushed.

        Raises:
            InvalidRequest: a filter cannot be used.
        """
        order, build = executions.c.seq, execution_from_row
        known = _FILTERS
        if "image" in (page.filters or {}):
            known = {**_FILTERS, **_IMAGE_FILTERS}
            page = replace(page, filters=_with_image_apart(page.filters or {}))
        with self._database.browse() as connection:
            found = fetch(connection, self._sealer, project, order, page, known, build)
            return replace(found, items=tuple(told_why(connection, found.items)))

    def cancel(
        self, project: str, execution_id: str, by: Actor = APPLICATION, *, force: bool = False
    ) -> Execution:
        """End an execution now; a worker that runs it finds its result refused.

        Args:
            force: also one that has begun to change its target; what it has changed stays.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already, or may have changed something.
        """

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            row = _find_open(connection, project, execution_id)
            changed = _may_have_changed(row)
            if changed and not force:
                command = ABORT.format(id=execution_id, project=project)
                raise InvalidRequest(HAS_CHANGED.format(command=command))
            now = self._database.now()
            ended = _cancel(connection, row, CANCELLED_MIDWAY if changed else CANCELLED, now)
            return ended, [told_of(by, AuditAction.EXECUTION_CANCELLED, row, state=ended.state)]

        return execution_from_row(write_audited(self._database, job))

    def abort(self, project: str, execution_id: str, by: Actor = APPLICATION) -> Execution:
        """Let an execution stop and go back; one that has not begun ends now.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            row = _find_open(connection, project, execution_id)
            if row.interruption == Interruption.ABORT:
                return row, []
            told = told_of(by, AuditAction.EXECUTION_ABORTED, row)
            if not row.attempt:
                message = f"Aborted by {by.name} before it began, so nothing was changed."
                return _cancel(connection, row, message, self._database.now(), ABORTED), [told]
            abort(connection, row, by.name, self._database.now())
            return find(connection, project, execution_id), [told]

        return execution_from_row(write_audited(self._database, job))

    def ended(self, ids: Collection[str]) -> list[Execution]:
        """Those of some executions, of any project, that have ended or are settled."""
        query = select(executions).where(
            executions.c.id.in_(bindparam("ids", expanding=True)),
            or_(executions.c.state.in_(ENDED), and_(SETTLED, _NOT_GIVING_WAY)),
        )
        wanted, found = list(ids), []
        with self._database.read() as connection:
            for start in range(0, len(wanted), MAX_IDS):
                some = {"ids": wanted[start : start + MAX_IDS]}
                found += [execution_from_row(row) for row in connection.execute(query, some)]
        return found

    def backlog(self) -> Backlog:
        """What has not ended, over all projects."""
        unended = [state for state in ExecutionState if state not in ENDED]
        counted = (
            select(executions.c.state, func.count())
            .where(executions.c.state.in_(unended))
            .group_by(executions.c.state)
        )
        earliest = select(func.min(executions.c.due))
        with self._database.read() as connection:
            counts = {ExecutionState(state): count for state, count in connection.execute(counted)}
            due = [connection.execute(earliest.where(queue)).scalar() for queue in (READY, LATER)]
        return Backlog(counts, min((moment for moment in due if moment is not None), default=None))


def _with_image_apart(filters: Mapping[str, str]) -> Mapping[str, str]:
    """The filters, with the parts of an image each for itself."""
    image = parse_image(filters["image"])
    parts = {"image": image.name, "tag": image.tag, "digest": image.digest}
    return {**filters, **{name: part for name, part in parts.items() if part}}


def _find_open(connection: Connection, project: str, execution_id: str) -> Row[Any]:
    row = find(connection, project, execution_id)
    if row.state in ENDED:
        raise InvalidRequest(f"The execution has ended already: {row.state}.")
    return row


def _may_have_changed(row: Row[Any]) -> bool:
    return row.state == ExecutionState.RUNNING or bool(row.changes or row.driver_state)


def _cancel(
    connection: Connection, row: Row[Any], message: str, now: datetime, reason: str | None = None
) -> Row[Any]:
    state = ExecutionState.CANCELLED
    close_open(connection, [AttemptOutcome(row.id, state, message, now)])
    ended = connection.execute(
        update(executions)
        .where(executions.c.id == row.id)
        .values(
            state=state,
            message=message,
            reason=reason,
            # What gave way had not completed.
            settled=case((executions.c.reason == GIVING_WAY, false()), else_=executions.c.settled),
            finished=now,
            due=None,
            lease_until=None,
            fence=executions.c.fence + 1,
        )
        .returning(executions)
    ).one()
    let_next_go(connection, [ended.slot])
    return ended


def votes_on(connection: Connection, execution_id: str) -> tuple[Vote, ...]:
    """What people said to an execution, in the order in which they did."""
    query = select(approvals).where(approvals.c.execution == execution_id).order_by(approvals.c.at)
    return tuple(Vote(row.voter, row.approved, row.at) for row in connection.execute(query))


def _gave_way(row: Row[Any]) -> bool:
    """Whether an execution made room before its rollout had completed."""
    # Releases up to 0.2.0 left it settled when the newer one had begun.
    taken_over = row.state == ExecutionState.SUPERSEDED and row.superseded_by is not None
    return bool(row.reason == GIVING_WAY or taken_over)


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
        changed=row.changed,
        settled=row.settled and not _gave_way(row),
        reason=row.reason,
        message=row.message,
        changes=tuple(Change(**change) for change in row.changes),
        superseded_by=row.superseded_by,
        rolls_back=row.rolls_back,
        replay_of=row.replay_of,
        requested_by=row.requested_by,
        back_to=row.back_to or {},
        interruption=row.interruption and Interruption(row.interruption),
        interrupted_by=row.interrupted_by,
        let_through=row.let_through,
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
