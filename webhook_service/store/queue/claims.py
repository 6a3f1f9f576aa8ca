"""Claims: which executions run next, by lease and fence, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from webhook_service.errors import StoreUnavailable
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import Claim, Verdict
from webhook_service.store.database import Database, wait
from webhook_service.store.queue import candidates, leases, slots
from webhook_service.store.queue import clock as leaps
from webhook_service.store.queue.handout import hand_out, orphaned, receivers_of
from webhook_service.store.queue.order import settle, sort
from webhook_service.store.queue.results import Result, record
from webhook_service.store.queue.turns import Room, deal

# Each round ends or moves what is in the way of a claim, some hundreds at most.
MAX_ROUNDS = 1000


def _now() -> datetime:
    return datetime.now(UTC)


class Fenced(StoreUnavailable):
    """The lease was lost and the execution handed to another worker: this result is refused."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class _Round:
    """What one transaction of a claim came to; ``moved`` says how many others it dealt with."""

    claims: list[Claim] = field(default_factory=list)
    moved: int = 0


class ClaimStore:
    """Hands out executions and records their results.

    Args:
        lease: seconds a claim is valid unless it is renewed.
        clock: the time, aware of its zone.
    """

    def __init__(
        self,
        database: Database,
        lease: float = 30.0,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._now = clock
        self.lease = timedelta(seconds=lease)
        self._served = ""
        self._leaps = leaps.Leaps()

    def claim(
        self, limit: int, running: Mapping[str, int] | None = None, reserved: int = 0
    ) -> list[Claim]:
        """Take up to ``limit`` due executions, each from another slot, and count the attempts.

        Projects take turns: none waits for the queue of another.

        Args:
            running: how many executions of each project the caller runs already.
            reserved: the last so many are only for projects that run nothing.
        """
        room = Room(limit, reserved, running or {})
        for _ in range(MAX_ROUNDS):
            done = self._database.write(lambda connection: self._claim(connection, room))
            if done.claims or not done.moved:
                break
        failpoint("claim.committed")
        return done.claims

    def claim_execution(self, execution_id: str) -> Claim | None:
        """Take this execution if it may run now, or the newer one of its slot that runs instead.

        Args:
            execution_id: what a message of a queue named; it may have run long ago.
        """
        found = self._database.write(
            lambda connection: self._hand_out(
                connection, candidates.candidate_named(connection, execution_id), Room(1)
            )
        )
        failpoint("claim.committed")
        return found.claims[0] if found.claims else None

    def overdue(self, limit: int, age: timedelta) -> dict[str, datetime]:
        """What may run now and has been due for ``age``: up to ``limit`` ids, the oldest first.

        Returns:
            Since when each has been due, by id.
        """
        with self._database.read() as connection:
            return candidates.overdue(connection, self._now() - age, limit)

    def next_due(self) -> datetime | None:
        """When the next execution that waits for its time is due."""
        with self._database.read() as connection:
            return candidates.next_due(connection)

    def renew(self, claims: Sequence[Claim]) -> None:
        """Extend the leases of claims that are still being worked on."""
        until = self._now() + self.lease
        self._database.write(lambda connection: leases.renew(connection, claims, until))

    def doubt(self, execution_id: str) -> None:
        """Cut a lease short whose worker may be gone; one that lives renews it twice meanwhile."""
        until = self._now() + 2 * self.lease / leases.RENEWALS
        self._database.write(lambda connection: leases.doubt(connection, execution_id, until))

    def release(self, claims: Sequence[Claim]) -> int:
        """Give back claims that were not begun; returns how many were still ours."""
        now = self._now()
        return self._database.write(lambda connection: leases.release(connection, claims, now))

    def give_up(self, claims: Sequence[Claim], message: str, reason: str) -> int:
        """Take back executions whose worker is known to be lost, as ``sweep`` would later.

        Args:
            message: what happened, without a full stop.
        """
        now = self._now()
        return self._database.write(
            lambda connection: leases.give_up(connection, claims, message, reason, now)
        )

    def sweep(self) -> int:
        """Take back executions whose worker is gone, up to 500; returns how many.

        One that was lost three times in a row fails: it may be what kills its workers.
        """
        now = self._now()
        mend = self._leaps.went_back(now)

        def job(connection: Connection) -> int:
            if mend:
                leaps.mend(connection, now)
            return leases.sweep(connection, now)

        return self._database.write(job)

    def record(self, claim: Claim, verdict: Verdict) -> None:
        """Store what a step came to.

        Raises:
            Fenced: the claim is no longer valid; nothing was stored.
        """
        failpoint("record.before")
        if not wait(self._database.submit(record, Result(claim, verdict, self._now()))):
            raise Fenced(
                f"Execution {claim.execution.id} is no longer ours; its result is refused."
            )
        failpoint("record.committed")

    def _claim(self, connection: Connection, room: Room) -> _Round:
        now = self._now()
        ready = candidates.make_ready(connection, now)
        wanted = room.free + len(room.running)
        projects = [
            project
            for project in candidates.projects_in_turn(connection, self._served, wanted)
            if room.has_place(project)
        ][: room.free]
        rows = [
            row
            for project in projects
            for row in candidates.candidates_of(connection, project, room.free // len(projects) + 1)
        ]
        found = self._hand_out(connection, rows, room)
        if found.claims:
            self._served = found.claims[-1].execution.project
        return _Round(found.claims, found.moved + ready)

    def _hand_out(self, connection: Connection, rows: Sequence[Row[Any]], room: Room) -> _Round:
        now = self._now()
        found = sort(rows, now)
        turn = settle(connection, _deal(found.now, room), found.behind, now)
        known = receivers_of(connection, turn.run)
        orphans = [orphaned(row) for row in turn.run if row.receiver not in known]
        run = [row for row in turn.run if row.receiver in known]
        endings = [*turn.endings, *orphans]
        slots.end(connection, endings, now)
        claims = hand_out(connection, run, known, now, now + self.lease)
        moved = candidates.move(connection, found.early, "later")
        moved += self._put_behind(connection, found.behind, {each.row.seq for each in endings})
        busy = {row.slot for row in (*run, *found.behind)}
        slots.let_next_go(connection, {each.row.slot for each in endings} - busy)
        failpoint("claim.before_commit")
        return _Round(claims, moved + len(endings))

    def _put_behind(self, connection: Connection, rows: Sequence[Row[Any]], ended: set[int]) -> int:
        active = slots.still_active(connection, {row.active for row in rows})
        waiting = [row for row in rows if row.active in active and row.seq not in ended]
        return candidates.move(connection, waiting, "behind")


def _deal(rows: Sequence[Row[Any]], room: Room) -> list[Row[Any]]:
    queues: dict[str, list[Row[Any]]] = {}
    for row in rows:
        queues.setdefault(row.project, []).append(row)
    return deal(queues, room)
