"""Replays in SQL: what has ended runs once more, one execution or many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, literal, select

from webhook_service.errors import InvalidRequest
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import ENDED, Execution
from webhook_service.model.history.replays import Replayed, ReplayFilter
from webhook_service.model.ids import EXECUTION, new_id
from webhook_service.model.notice import Happened
from webhook_service.model.people.audit import APPLICATION, Actor, AuditAction, AuditEntry
from webhook_service.store.database.database import Database
from webhook_service.store.history.approvals import asked_again, keep_newest
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.history.requested import add_copy, find, newest_place, told_of
from webhook_service.store.limits.open_executions import OpenExecutions
from webhook_service.store.notices import tell
from webhook_service.store.tables import executions, receivers

BATCH = 50


class ReplayStore:
    """Queues the events of ended executions once more, as new executions."""

    def __init__(self, database: Database, open_executions: OpenExecutions) -> None:
        self._database = database
        self._open = open_executions

    def replay(
        self,
        project: str,
        execution_id: str,
        replay_id: str,
        as_of: bool,
        by: Actor = APPLICATION,
    ) -> Execution:
        """Replay one execution, also one that was replayed before.

        Args:
            as_of: keep the old place in the order, so that newer pushes still win; otherwise the
                replay counts as the newest.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has not ended yet.
            LimitReached: the project has too many open executions.
        """

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            row = find(connection, project, execution_id)
            if row.state not in ENDED:
                raise InvalidRequest(f"The execution is {row.state}: cancel it, or let it end.")
            self._open.require_room_for(connection, project, 1)
            made = _replay(connection, row, replay_id, as_of, by, self._database.now())
            return made, [_told(by, row, made)]

        made = write_audited(self._database, job)
        failpoint("replay.committed")
        return execution_from_row(made)

    def find(self, project: str, wanted: ReplayFilter) -> Replayed:
        """What ``replay_all`` would replay now."""
        meant = _meant(project, wanted)
        query = select(executions.c.id).where(*meant).order_by(executions.c.seq)
        count = select(func.count()).select_from(executions).where(*meant)
        with self._database.read() as connection:
            found = tuple(connection.execute(query.limit(wanted.limit)).scalars())
            whole = connection.execute(count).scalar_one()
        return Replayed(found, (), max(0, whole - len(found)))

    def replay_all(
        self, project: str, wanted: ReplayFilter, as_of: bool, by: Actor = APPLICATION
    ) -> Replayed:
        """Replay what the filter finds, oldest first, fifty in a transaction.

        Repeating the call replays nothing twice. Of one slot's replays only the newest runs.

        Raises:
            LimitReached: the project has too many open executions; some may be replayed by then.
        """

        def job(
            connection: Connection, ids: Sequence[str]
        ) -> tuple[list[tuple[str, str]], Sequence[AuditEntry]]:
            self._open.require_room_for(connection, project, len(ids))
            now = self._database.now()
            return _replay_some(connection, ids=ids, as_of=as_of, by=by, now=now)

        found = self.find(project, wanted)
        made: list[tuple[str, str]] = []
        for start in range(0, len(found.replayed), BATCH):
            some = found.replayed[start : start + BATCH]
            made += write_audited(self._database, partial(job, ids=some))
            failpoint("replay.committed")
        return Replayed(
            tuple(old for old, _ in made), tuple(new for _, new in made), found.remaining
        )


def _meant(project: str, wanted: ReplayFilter) -> Sequence[ColumnElement[bool]]:
    copy = executions.alias("copy")
    where = [
        executions.c.project == project,
        # Written into the statement, so that the partial index of failed executions serves it.
        executions.c.state == literal(wanted.state.value, literal_execute=True),
        ~exists().where(copy.c.replay_of == executions.c.id),
        exists().where(receivers.c.id == executions.c.receiver),
    ]
    if wanted.receiver is not None:
        where.append(executions.c.receiver == wanted.receiver)
    if wanted.reason is not None:
        where.append(executions.c.reason == wanted.reason)
    if wanted.since is not None:
        where.append(executions.c.finished >= wanted.since)
    if wanted.until is not None:
        where.append(executions.c.finished < wanted.until)
    return where


def _replay_some(
    connection: Connection, *, ids: Sequence[str], as_of: bool, by: Actor, now: datetime
) -> tuple[list[tuple[str, str]], Sequence[AuditEntry]]:
    """The ids of those that were replayed, each with that of its replay."""
    rows = _not_replayed(connection, ids)
    made = [_replay(connection, row, new_id(EXECUTION), as_of, by, now) for row in rows]
    pairs = list(zip(rows, made, strict=True))
    return [(old.id, new.id) for old, new in pairs], [_told(by, old, new) for old, new in pairs]


def _told(by: Actor, row: Row[Any], made: Row[Any]) -> AuditEntry:
    return told_of(by, AuditAction.EXECUTION_REPLAYED, row, replay=made.id)


def _not_replayed(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """The rows, locked first: another caller may be replaying the same ones."""
    chosen = select(executions).where(executions.c.id.in_(ids)).order_by(executions.c.seq)
    rows = connection.execute(chosen.with_for_update()).all()
    copied = select(executions.c.replay_of).where(executions.c.replay_of.in_(ids))
    done = set(connection.execute(copied).scalars())
    return [row for row in rows if row.id not in done]


def _replay(
    connection: Connection,
    row: Row[Any],
    replay_id: str,
    as_of: bool,
    by: Actor,
    now: datetime,
) -> Row[Any]:
    values = {
        "ordered": row.ordered if as_of else newest_place(connection, row.slot, now),
        "replay_of": row.id,
        "requested_by": by.name,
        **asked_again(connection, row.receiver, now),
    }
    copy = add_copy(connection, row, replay_id, now, values)
    if copy.approvals_needed is not None and copy.coalesce:
        keep_newest(connection, copy.slot, now)
    if copy.approvals_needed is not None:
        tell(connection, [copy.id], now, Happened.HELD)
    return copy
