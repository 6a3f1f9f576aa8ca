"""Bad slots: what makes a claim fail for all together is left out of it, and tried again later.

A second active execution in a slot, which the tables refuse, or a row that cannot be read must not
keep all others waiting, of all projects and for ever.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from webhook_service.model.execution import Claim
from webhook_service.store.queue.capacity import Capacity
from webhook_service.store.queue.claim import Candidate, Claimed, claim_together, read_again
from webhook_service.store.tables import OPEN, Moment, executions

PUT_OFF = timedelta(seconds=10)
# Several hosts may be faster in one slot, one after the other.
TRIES = 3

log = logging.getLogger(__name__)

_PUT_OFF = (
    update(executions)
    .where(executions.c.seq.in_(bindparam("seqs", expanding=True)), OPEN)
    .values(queue="later", due=bindparam("later", type_=Moment))
)


def claim_slot_by_slot(
    connection: Connection,
    candidates: Sequence[Candidate],
    capacity: Capacity,
    now: datetime,
    until: datetime,
) -> Claimed:
    """Claim of some candidates those that may run; a slot in which that fails is put off."""
    by_slot: dict[str, list[Candidate]] = defaultdict(list)
    for row in candidates:
        by_slot[row.slot].append(row)
    claims: list[Claim] = []
    moved = 0
    for slot, rows in by_slot.items():
        left = capacity.without([claim.execution.project for claim in claims])
        try:
            done = _claim_slot(connection, rows, left, now, until)
        except Exception as exc:
            if _is_fault_of_database(exc):
                raise
            log.error(
                "Nothing can be claimed in the slot %s, which is tried again in %d s; "
                "if that goes on, cancel what waits there: %s.",
                *(slot, PUT_OFF.total_seconds(), ", ".join(row.id for row in rows)),
                exc_info=exc,
            )
            later = {"seqs": [row.seq for row in rows], "later": now + PUT_OFF}
            done = Claimed([], connection.execute(_PUT_OFF, later).rowcount)
        claims += done.claims
        moved += done.moved
    return Claimed(claims, moved)


def _claim_slot(
    connection: Connection,
    rows: Sequence[Candidate],
    capacity: Capacity,
    now: datetime,
    until: datetime,
) -> Claimed:
    for _ in range(TRIES - 1):
        try:
            with connection.begin_nested():
                return claim_together(connection, rows, capacity, now, until)
        except IntegrityError:
            # Another host claimed in this slot at the same moment; now one sees what it did.
            rows = read_again(connection, rows)
    with connection.begin_nested():
        return claim_together(connection, rows, capacity, now, until)


def _is_fault_of_database(exc: Exception) -> bool:
    return isinstance(exc, SQLAlchemyError) and not isinstance(exc, IntegrityError)
