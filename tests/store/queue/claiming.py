"""What tests of claims do with a store: claim, read, lose leases."""

from datetime import timedelta

from sqlalchemy import text

from tests.support import PROJECT
from webhook_service.model.delivery import Work
from webhook_service.model.execution import Claim, Execution, ExecutionState, Verdict
from webhook_service.store.store import Store

DONE = Verdict(ExecutionState.SUCCEEDED, "done")


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
