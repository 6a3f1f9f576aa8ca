"""The queue as engines see it: they claim executions, renew their leases, and record what came.

A claim is its worker's own until its lease ends. The fence is raised whenever an execution changes
hands, so a worker that comes back after its lease finds its result refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, TextClause, bindparam, exists, func, select, update

from webhook_service.errors import StoreUnavailable
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.store.database.database import Database
from webhook_service.store.database.write import Write, wait
from webhook_service.store.queue import attempts, slots
from webhook_service.store.queue.bad_slots import claim_slot_by_slot
from webhook_service.store.queue.capacity import Capacity
from webhook_service.store.queue.claim import (
    Candidate,
    Claimed,
    Found,
    claim_together,
    find_in_the_way,
    find_named,
    find_ready,
)
from webhook_service.store.queue.leaps import ClockWatch, make_due_again
from webhook_service.store.queue.leases import RENEWALS, WORKER_LOST, take_back
from webhook_service.store.queue.results import Result, record, still_valid
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import ACTIVE, BEHIND, LATER, READY, RUNNING, Moment, executions

# Each round ends or moves what is in the way of a claim, some hundreds at most.
MAX_ROUNDS = 1000
MAX_SWEPT = 500
MAX_SLOTS = 10_000
MAX_WOKEN = 500
# From a change until the step that looks at it.
WAKING = timedelta(seconds=0.05)

log = logging.getLogger(__name__)

ClaimCandidates = Callable[[Connection, Sequence[Candidate], Capacity, datetime, datetime], Claimed]

_E = executions.c
_NOW = bindparam("now", type_=Moment)
_UNTIL = bindparam("until", type_=Moment)
_NEXT_DUE = select(func.min(_E.due)).where(LATER)
_RENEW = (
    update(executions)
    .where(_E.id == bindparam("of_id"), _E.fence == bindparam("held"), RUNNING)
    .values(lease_until=_UNTIL)
)
_WAITS = (
    select(_E.id, _E.due)
    .where(_E.id.in_(bindparam("ids", expanding=True)), LATER)
    .where(_E.state == ExecutionState.WAITING, _E.due > bindparam("soon", type_=Moment))
    .with_for_update(skip_locked=True)
)
_WAKE = (
    update(executions)
    .where(_E.id == bindparam("of_id"))
    .values(due=bindparam("soon", type_=Moment), watched=_E.watched - bindparam("unwatched"))
)
_DOUBT = (
    update(executions)
    .where(_E.id == bindparam("of_id"), RUNNING, _E.lease_until > _UNTIL)
    .values(lease_until=_UNTIL)
)
_LINE: Select[Any] = select(_E.seq, _E.id, _E.slot, _E.attempt, _E.lost)
_LOST = (
    _LINE.where(RUNNING, _E.lease_until < _NOW)
    .order_by(_E.lease_until)
    .limit(MAX_SWEPT)
    .with_for_update(skip_locked=True)
)
_NAMED = _LINE.where(_E.id.in_(bindparam("ids", expanding=True)))
_RELEASE = (
    update(executions)
    .where(_E.id == bindparam("of_id"))
    .values(
        state=bindparam("to_state"),
        attempt=_E.attempt - bindparam("counted"),
        due=_NOW,
        queue="ready",
        lease_until=None,
        fence=_E.fence + 1,
    )
)


def _overdue(where: TextClause) -> Select[Any]:
    other = executions.alias("other")
    busy = exists().where(other.c.slot == _E.slot, other.c.seq != _E.seq, ACTIVE)
    return (
        select(_E.id, _E.due)
        .where(where, _E.due <= _NOW, ~busy)
        .order_by(_E.due)
        .limit(bindparam("count"))
    )


def _forgotten() -> Select[Any]:
    # Slots in which something waits behind nothing: from slot to slot over the index, one probe
    # each, as claims go from project to project. A slot may have thousands of rows behind.
    walk = select(func.min(_E.slot).label("slot")).where(BEHIND).cte("walk", recursive=True)
    following = select(func.min(_E.slot)).where(BEHIND, _E.slot > walk.c.slot)
    walk = walk.union_all(select(following.scalar_subquery()).where(walk.c.slot.is_not(None)))
    busy = exists().where(_E.slot == walk.c.slot, ACTIVE)
    return select(walk.c.slot).where(walk.c.slot.is_not(None), ~busy).limit(MAX_SLOTS)


# Two queries and not one with OR, so that each is answered by its own partial index.
_OVERDUE = (_overdue(READY), _overdue(LATER))
_FORGOTTEN = _forgotten()


class Fenced(StoreUnavailable):
    """The lease was lost and the execution handed to another worker: this result is refused."""

    code = "fenced"


class Queue:
    """Hands out executions and records their results.

    Args:
        lease: seconds a claim is valid unless it is renewed.
        clock: the time, aware of its zone; the database's if left out.
        sealer: opens the configs with secrets of the receivers.
    """

    def __init__(
        self,
        database: Database,
        lease: float = 30.0,
        clock: Callable[[], datetime] | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self._sealer = sealer
        self._database = database
        self.now = clock or database.now
        self.lease = timedelta(seconds=lease)
        self._served = ""
        self._watch = ClockWatch()

    def claim(
        self, limit: int, running: Mapping[str, int] | None = None, reserved: int = 0
    ) -> list[Claim]:
        """Take up to ``limit`` due executions, each from another slot, and count the attempts.

        Projects take turns: none waits for the queue of another.

        Args:
            running: how many executions of each project the caller runs already.
            reserved: the last so many are only for projects that run nothing.
        """
        capacity = Capacity(limit, reserved, running or {})
        for _ in range(MAX_ROUNDS):
            find = partial(find_ready, capacity=capacity, served=self._served)
            claims, moved = self._claim(find, capacity)
            if claims or not moved:
                break
        failpoint("claim.committed")
        if claims:
            self._served = claims[-1].execution.project
        return claims

    def claim_execution(self, execution_id: str) -> Claim | None:
        """Take this execution if it may run now, or the newer one of its slot that runs instead.

        If another one has to give way to it first, that one is taken.

        Args:
            execution_id: what a message of a broker named; it may have run long ago.
        """
        for find in (find_named, find_in_the_way):
            claims, moved = self._claim(partial(find, execution=execution_id), Capacity(1))
            if claims or not moved:
                break
        failpoint("claim.committed")
        return claims[0] if claims else None

    def full_config(self, claim: Claim) -> Mapping[str, Any]:
        """The config that the driver of a claim is given, with its secrets.

        Raises:
            SettingsError: the key that sealed it is not set.
        """
        if claim.sealed_config is None or self._sealer is None:
            return claim.config
        opened = self._sealer.open(claim.execution.receiver, claim.sealed_config)
        config: Mapping[str, Any] = json.loads(opened)
        return config

    def next_due(self) -> datetime | None:
        """When the next execution that waits for its time is due."""
        with self._database.read() as connection:
            due: datetime | None = connection.execute(_NEXT_DUE).scalar_one()
        return due

    def wake(self, executions: Sequence[str]) -> None:
        """Let what waits go on in a moment, as what it waits for has changed.

        What changes again in that moment needs no step of its own. What does not wait is let be.
        """

        def job(connection: Connection, ids: Sequence[str]) -> None:
            soon = self.now() + WAKING
            waiting = connection.execute(_WAITS, {"ids": ids, "soon": soon}).all()
            values = [
                # The time that was waited for counts as watched already.
                {"of_id": row.id, "soon": soon, "unwatched": (row.due - soon).total_seconds()}
                for row in waiting
            ]
            if values:
                connection.execute(_WAKE, values)

        for start in range(0, len(executions), MAX_WOKEN):
            self._database.write(partial(job, ids=executions[start : start + MAX_WOKEN]))

    def overdue(self, limit: int, age: timedelta) -> dict[str, datetime]:
        """What may run now and has been due for ``age``: up to ``limit`` ids, the oldest first.

        Returns:
            Since when each has been due, by id.
        """
        values = {"now": self.now() - age, "count": limit}
        with self._database.read() as connection:
            rows = [row for query in _OVERDUE for row in connection.execute(query, values)]
        return {row.id: row.due for row in sorted(rows, key=lambda row: row.due)[:limit]}

    def renew(self, claims: Sequence[Claim]) -> None:
        """Extend the leases of claims that are still being worked on."""
        until = self.now() + self.lease
        values = [
            {"of_id": claim.execution.id, "held": claim.fence, "until": until} for claim in claims
        ]
        if values:
            self._database.write(lambda connection: connection.execute(_RENEW, values))

    def doubt(self, execution_id: str) -> None:
        """Cut a lease short whose worker may be gone; one that lives renews it twice meanwhile."""
        until = self.now() + 2 * self.lease / RENEWALS
        values = {"of_id": execution_id, "until": until}
        self._database.write(lambda connection: connection.execute(_DOUBT, values))

    def release(self, claims: Sequence[Claim]) -> int:
        """Give back claims that were not begun, as if they had never been made.

        Returns:
            How many were still ours.
        """
        now = self.now()

        def job(connection: Connection) -> int:
            valid = still_valid(connection, claims)
            ours = {claim.execution.id: claim for claim in claims if claim.execution.id in valid}
            for id_, claim in ours.items():
                attempts.undo(connection, claim)
                state = ExecutionState.WAITING if claim.resumed else ExecutionState.QUEUED
                values = {"of_id": id_, "to_state": state.value, "counted": int(not claim.resumed)}
                connection.execute(_RELEASE, {**values, "now": now})
            return len(ours)

        return self._database.write(job)

    def give_up(self, claims: Sequence[Claim], message: str, reason: str) -> int:
        """Take back executions whose worker is known to be lost, as ``sweep`` would later.

        Args:
            message: what happened, without a full stop; the number of times is added.

        Returns:
            How many were still ours.
        """
        now = self.now()

        def job(connection: Connection) -> int:
            valid = still_valid(connection, claims)
            lost = connection.execute(_NAMED, {"ids": list(valid)}).all()
            take_back(connection, lost, message, reason, now)
            return len(lost)

        return self._database.write(job)

    def sweep(self) -> int:
        """Take back executions whose worker is gone, up to 500; returns how many.

        One that was lost three times in a row fails: it may be what kills its workers.
        """
        went_back = self._watch.went_back(self.now())

        def job(connection: Connection) -> int:
            now = self.now()
            if went_back:
                make_due_again(connection, now)
            lost = connection.execute(_LOST, {"now": now}).all()
            take_back(connection, lost, "The worker was lost while it ran this", WORKER_LOST, now)
            # No path should leave something behind that waits for nothing, and none may for long.
            slots.let_next_go(connection, connection.execute(_FORGOTTEN).scalars().all())
            failpoint("sweep.before_commit")
            return len(lost)

        return self._database.write(job)

    def record(self, claim: Claim, verdict: Verdict) -> None:
        """Store what a step came to.

        Raises:
            Fenced: the claim is no longer valid; nothing was stored.
        """
        self.recorded(claim, self.submit(claim, verdict))

    def submit(self, claim: Claim, verdict: Verdict) -> Write[bool]:
        """Begin to store what a step came to: the writer takes all that wait together."""
        failpoint("record.before")
        return self._database.submit(record, Result(claim, verdict, self.now()))

    def recorded(self, claim: Claim, write: Write[bool]) -> None:
        """Wait until what a step came to is stored.

        Raises:
            Fenced: the claim is no longer valid; nothing was stored.
        """
        if not wait(write):
            raise Fenced(
                f"Execution {claim.execution.id} is no longer ours; its result is refused."
            )
        failpoint("record.committed")

    def _claim(self, find: Callable[[Connection, datetime], Found], capacity: Capacity) -> Claimed:
        """Claim in one transaction, or slot by slot if something in one of them makes it fail."""

        def job(connection: Connection, claim: ClaimCandidates = claim_together) -> Claimed:
            now = self.now()
            candidates, ready = find(connection, now)
            claims, moved = claim(connection, candidates, capacity, now, now + self.lease)
            return Claimed(claims, ready + moved)

        try:
            return self._database.write(job)
        except StoreUnavailable:
            raise
        except Exception as exc:
            # No fault yet: of two hosts that claim in one slot at the same moment, one comes here.
            log.debug("a claim failed, and is made slot by slot: %s", exc)
            return self._database.write(partial(job, claim=claim_slot_by_slot))
