"""Leases that ended too early: their executions are queued again, but not for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, update

from webhook_service.failpoints import failpoint
from webhook_service.model.execution import ExecutionState
from webhook_service.store.notices import tell
from webhook_service.store.queue import attempts, slots
from webhook_service.store.queue.attempts import AttemptOutcome
from webhook_service.store.tables import Moment, executions

MAX_LOST_LEASES = 3
# How often a worker of a broker renews a lease while it lasts.
RENEWALS = 10
WORKER_LOST, TIMED_OUT = "worker_lost", "timed_out"

_E = executions.c
_TAKE_BACK = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"))
    .values(
        state=bindparam("to_state"),
        lost=bindparam("times"),
        due=bindparam("next_due", type_=Moment),
        finished=bindparam("now", type_=Moment),
        queue="ready",
        message=func.coalesce(bindparam("said"), _E.message),
        reason=func.coalesce(bindparam("why"), _E.reason),
        lease_until=None,
        fence=_E.fence + 1,
    )
)


def take_back(
    connection: Connection, rows: Sequence[Row[Any]], message: str, reason: str, now: datetime
) -> None:
    """Queue executions again whose workers are lost; for the third time in a row they fail.

    What kills its workers must not go on killing them.

    Args:
        rows: each with ``seq``, ``id``, ``slot``, ``attempt`` and ``lost``.
        message: what happened, to which the number of times is added.
    """
    if not rows:
        return
    values: list[Mapping[str, Any]] = []
    outcomes: list[tuple[int, AttemptOutcome]] = []
    for row in rows:
        times = row.lost + 1
        said = f"{message} ({times} times in a row)."
        if times >= MAX_LOST_LEASES:
            failpoint("dead_letter.before")
            state = ExecutionState.FAILED
            new = {"next_due": None, "now": now, "said": said, "why": reason}
        else:
            state = ExecutionState.QUEUED
            new = {"next_due": now, "now": None, "said": None, "why": None}
        values.append({"of_seq": row.seq, "to_state": state.value, "times": times, **new})
        tried = state if state is ExecutionState.FAILED else ExecutionState.RETRYING
        outcomes.append((row.attempt, AttemptOutcome(row.id, tried, said, now)))
    connection.execute(_TAKE_BACK, values)
    attempts.close(connection, outcomes)
    slots.let_next_go(connection, {row.slot for row in rows})
    tell(connection, [row.id for row in rows if row.lost + 1 >= MAX_LOST_LEASES], now)
