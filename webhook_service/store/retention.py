"""Pruning: what is old goes, a hundred rows at a time, so that no call has to wait for it.

Rows are found on the caller's connection, in the order of their keys; only the removal itself runs
on the writer. What may be needed stays: executions that have not ended, and the newest revisions
of each slot, for rollbacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Row,
    TextClause,
    Update,
    and_,
    delete,
    exists,
    or_,
    select,
    true,
    update,
)

from webhook_service.failpoints import failpoint
from webhook_service.model.execution import ENDED, ExecutionState
from webhook_service.store.database.database import Database
from webhook_service.store.tables import (
    ACTIVE,
    EXPIRING,
    OPEN,
    REVISION,
    SUCCEEDED,
    audit,
    deliveries,
    executions,
    inbox_keys,
    keys,
    receivers,
    slots,
)

# A call waits for no more than such a transaction: 30 ms or so with all indexes.
BATCH = 100
KEPT_REVISIONS = 10


@dataclass(frozen=True, slots=True)
class ChoreStep:
    """What one batch came to: where the next one begins, if there is one, and how many rows."""

    cursor: str
    done: bool
    count: int


class PruningStore:
    """Removes what is old. Each method does one batch, from where the last one ended.

    Args:
        batch: rows that are looked at in one batch, and removed in one transaction at most.
    """

    def __init__(self, database: Database, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def bodies(self, cursor: str, before: datetime) -> ChoreStep:
        """Empty the bodies of deliveries that were received before a moment.

        They keep their place, so the cursor stays at the end.
        """
        rows = self._look(
            deliveries.c.seq,
            int(cursor or 0),
            deliveries.c.received,
            deliveries.c.body.is_not(None),
        )
        old = [row for row in rows if row.age < before]
        chosen = [row.key for row in old if row.chosen]
        self._write(
            update(deliveries).where(deliveries.c.seq.in_(chosen)).values(body=None), chosen
        )
        cursor = str(old[-1].key) if old else cursor
        return ChoreStep(cursor, len(old) < self._batch, len(chosen))

    def executions(self, cursor: str, before: datetime) -> ChoreStep:
        """Remove executions that ended before a moment, with their attempts and votes."""
        gone = and_(executions.c.state.in_(ENDED), executions.c.finished < before, ~_is_revision())
        rows = self._look(executions.c.seq, int(cursor or 0), executions.c.created, gone)
        return self._remove(rows, executions.c.seq, before)

    def deliveries(self, cursor: str, before: datetime) -> ChoreStep:
        """Remove deliveries from before a moment that no execution belongs to any more."""
        gone = ~exists().where(executions.c.delivery == deliveries.c.id)
        rows = self._look(deliveries.c.seq, int(cursor or 0), deliveries.c.received, gone)
        return self._remove(rows, deliveries.c.seq, before)

    def slots(self, cursor: str, before: datetime) -> ChoreStep:
        """Remove the watermarks of slots that nothing was done in since a moment."""
        used = [exists().where(executions.c.slot == slots.c.slot, of) for of in _LIVE]
        unused = and_(slots.c.ordered < before, *(~each for each in used))
        rows = self._look(slots.c.slot, cursor, slots.c.ordered, unused)
        chosen = [row.key for row in rows if row.chosen]
        self._write(delete(slots).where(slots.c.slot.in_(chosen)), chosen)
        return _step(rows, chosen, len(rows) < self._batch)

    def audit(self, cursor: str, before: datetime) -> ChoreStep:
        """Remove what the audit says of the time before a moment."""
        rows = self._look(audit.c.id, cursor, audit.c.at, true())
        return self._remove(rows, audit.c.id, before)

    def keys(self, cursor: str, before: datetime) -> ChoreStep:
        """Remove endpoint keys that expired before a moment."""
        count, done = 0, True
        for table in (keys, inbox_keys):
            query = select(table.c.fingerprint).where(EXPIRING, table.c.expires < before)
            with self._database.read() as connection:
                chosen = connection.execute(query.limit(self._batch)).scalars().all()
            self._write(delete(table).where(table.c.fingerprint.in_(chosen)), chosen)
            count, done = count + len(chosen), done and len(chosen) < self._batch
        return ChoreStep("", done, count)

    def _look(
        self, key: Column[Any], after: Any, age: Column[Any], chosen: ColumnElement[bool]
    ) -> Sequence[Row[Any]]:
        """The next rows by key: each with its age, and whether it is to be removed."""
        query = (
            select(key.label("key"), age.label("age"), chosen.label("chosen"))
            .where(key > after)
            .order_by(key)
            .limit(self._batch)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _remove(self, rows: Sequence[Row[Any]], key: Column[Any], before: datetime) -> ChoreStep:
        old = [row for row in rows if row.age < before]
        chosen = [row.key for row in old if row.chosen]
        self._write(delete(key.table).where(key.in_(chosen)), chosen)
        return _step(old, chosen, len(old) < self._batch)

    def _write(self, statement: Delete | Update, chosen: Sequence[Any]) -> None:
        def job(connection: Connection) -> None:
            connection.execute(statement)
            failpoint("prune.before_commit")

        if chosen:
            self._database.write(job)
            failpoint("prune.committed")


_LIVE = (REVISION, OPEN, ACTIVE)


def _is_revision() -> ColumnElement[bool]:
    """One of the newest of its slot that changed it or succeeded, of a living receiver."""
    succeeded = executions.c.state == ExecutionState.SUCCEEDED
    changed = executions.c.changed.is_not(None)
    return and_(
        exists().where(receivers.c.id == executions.c.receiver),
        or_(
            and_(succeeded, _is_among_newest(SUCCEEDED, "finished")),
            and_(changed, _is_among_newest(REVISION, "changed")),
        ),
    )


def _is_among_newest(which: TextClause, age: str) -> ColumnElement[bool]:
    newer = executions.alias("newer")
    oldest_kept = (
        select(newer.c[age])
        .where(newer.c.slot == executions.c.slot, which)
        .order_by(newer.c[age].desc())
        .limit(1)
        .offset(KEPT_REVISIONS - 1)
        .scalar_subquery()
    )
    return oldest_kept.is_(None) | (executions.c[age] >= oldest_kept)


def _step(rows: Sequence[Row[Any]], chosen: Sequence[Any], done: bool) -> ChoreStep:
    return ChoreStep("" if done else str(rows[-1].key), done, len(chosen))
