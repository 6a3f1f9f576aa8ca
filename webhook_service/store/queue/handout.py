"""Handing out: candidates whose turn it is become claims, each attempt counted before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, insert, select, text, update

from webhook_service.model.execution import Claim, ExecutionState
from webhook_service.model.receiver import TagRule
from webhook_service.model.registry_rule import RegistryRule
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.queue.slots import Ending
from webhook_service.store.tables import OPEN, Moment, attempts, executions, receivers

_E = executions.c
_RECEIVERS: Select[Any] = select(
    receivers.c.id, receivers.c.config, receivers.c.match, receivers.c.registry
).where(receivers.c.id.in_(bindparam("ids", expanding=True)))
_TAKE = (
    update(executions)
    .where(_E.seq.in_(bindparam("seqs", expanding=True)), OPEN)
    .values(
        state=ExecutionState.RUNNING,
        lease_until=bindparam("until", type_=Moment),
        fence=_E.fence + 1,
        attempt=_E.attempt + case((text("state = 'waiting'"), 0), else_=1),
        due=None,
    )
    .returning(executions)
)
_COUNT_STEP = (
    update(attempts)
    .where(
        attempts.c.execution == bindparam("of_execution"),
        attempts.c.number == bindparam("of_number"),
    )
    .values(steps=attempts.c.steps + 1)
)
_BEGIN_ATTEMPT = insert(attempts)


def receivers_of(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, Row[Any]]:
    """What the candidates' receivers say now, by id; a deleted one is missing."""
    ids = {row.receiver for row in rows}
    found = connection.execute(_RECEIVERS, {"ids": list(ids)}) if ids else ()
    return {row.id: row for row in found}


def orphaned(row: Row[Any]) -> Ending:
    """The end of what belongs to a receiver that was deleted."""
    return Ending(row, ExecutionState.CANCELLED, "The receiver was deleted.")


def hand_out(
    connection: Connection,
    chosen: Sequence[Row[Any]],
    known: Mapping[str, Row[Any]],
    now: datetime,
    until: datetime,
) -> list[Claim]:
    """Claim candidates, in their order.

    Args:
        known: their receivers (see ``receivers_of``).
        until: when the lease ends.
    """
    if not chosen:
        return []
    resumed = {row.seq: row.state == ExecutionState.WAITING for row in chosen}
    rows = connection.execute(_TAKE, {"seqs": list(resumed), "until": until}).all()
    taken = {row.seq: row for row in rows}
    claims = [
        _claim(taken[seq], known[taken[seq].receiver], again)
        for seq, again in resumed.items()
        if seq in taken
    ]
    _count(connection, claims, now)
    return claims


def _claim(row: Row[Any], receiver: Row[Any], resumed: bool) -> Claim:
    rule = receiver.registry
    return Claim(
        execution=execution_from_row(row),
        config=receiver.config,
        tags=TagRule.model_validate(receiver.match["tags"]),
        registry=None if rule is None else RegistryRule.model_validate(rule),
        named=row.named,
        attempt=row.attempt,
        retries=row.retries,
        fence=row.fence,
        resumed=resumed,
    )


def _count(connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
    begun = [_attempt(claim, now) for claim in claims if not claim.resumed]
    if begun:
        connection.execute(_BEGIN_ATTEMPT, begun)
    steps = [
        {"of_execution": claim.execution.id, "of_number": claim.attempt}
        for claim in claims
        if claim.resumed
    ]
    if steps:
        connection.execute(_COUNT_STEP, steps)


def _attempt(claim: Claim, now: datetime) -> Mapping[str, Any]:
    return {
        "execution": claim.execution.id,
        "number": claim.attempt,
        "started": now,
        "state": ExecutionState.RUNNING.value,
    }
