"""What tests of claims do with a store: claim, read, lose leases."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tests.store.builders import accept, request
from tests.support import PROJECT
from webhook_service.model.delivery import Work
from webhook_service.model.execution import Claim, Execution, ExecutionState, Verdict
from webhook_service.store.store import Store

DONE = Verdict(ExecutionState.SUCCEEDED, "done")
LEASE = 30.0
MOMENT = timedelta(microseconds=1)
"""As exactly as times are stored."""


class Clock:
    """A clock that stands still, ahead of the real one at which pushes are received."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def claim_one(store: Store) -> Claim:
    (claim,) = store.claims.claim(10)
    return claim


def read(store: Store, work: Work) -> Execution:
    return store.executions.get(PROJECT, work.execution)


def lose_leases(store: Store) -> None:
    """Let the lease of everything that runs end, as if its worker had died long ago."""
    past = int(store.claims.lease * 2 / timedelta(microseconds=1))
    statement = text(
        f"UPDATE executions SET lease_until = lease_until - {past} WHERE state = 'running'"
    )
    store.database.write(lambda connection: connection.execute(statement))


def queue_of(store: Store, execution: str) -> str:
    query = text("SELECT queue FROM executions WHERE id = :id")
    with store.database.read() as connection:
        found: str = connection.execute(query, {"id": execution}).scalar_one()
    return found


def wait_in_line(store: Store, receiver: str, count: int) -> tuple[Claim, list[str]]:
    """One raw request that runs, and others of its slot that were found to wait behind it."""
    calls = [request() for _ in range(count)]
    accept(store, receiver, *calls)
    claim = claim_one(store)
    assert store.claims.claim(10) == []
    waiting = [call.execution for call in calls if call.execution != claim.execution.id]
    assert {queue_of(store, execution) for execution in waiting} == {"behind"}
    return claim, waiting
