"""Interruptions: what has begun is asked to stop, by people or for a newer push of its slot.

It is written on the execution, so whoever holds it, or takes it next, does it, on whatever host.
What waits goes on at once; of what runs the step ends first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, or_, text, update

from webhook_service.driver import Interruption
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.store.queue.slots import place
from webhook_service.store.tables import OPEN, RUNNING, Moment, executions

_E = executions.c
_IS_RUNNING = text("state = 'running'")
_NOW = bindparam("now", type_=Moment)
# Due since it was created: so it is claimed before all that waits to begin. A clock that went back
# meanwhile may have left that in the future.
_SINCE = case((_E.created > _NOW, _NOW), else_=_E.created)
_INTERRUPT = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"), or_(OPEN, RUNNING))
    .values(
        interruption=bindparam("why"),
        interrupted_by=bindparam("who"),
        message=func.coalesce(bindparam("said"), _E.message),
        watched=case((bindparam("anew"), 0.0), else_=_E.watched),
        due=case((_IS_RUNNING, _E.due), else_=_SINCE),
        queue=case((_IS_RUNNING, _E.queue), else_="ready"),
    )
)


def abort(connection: Connection, row: Row[Any], by: str, now: datetime) -> None:
    """Ask an open execution that has begun to go back. The time of its way back counts anew."""
    said = f"{by} asked for an abort: it goes back."
    connection.execute(_INTERRUPT, _values(row, Interruption.ABORT, by, now, said))


def ask_way(
    connection: Connection,
    newest: Iterable[Row[Any]],
    active: Mapping[str, Row[Any]],
    now: datetime,
) -> int:
    """Ask what is active in some slots to give way to the newest push that waits there.

    Args:
        newest: pushes that may run now but for what is active.
        active: by slot; locked.

    Returns:
        How many were asked.
    """
    asked = [
        _values(active[row.slot], why, row.id, now)
        for row in newest
        if row.slot in active and (why := _reason(row, active[row.slot]))
    ]
    if asked:
        connection.execute(_INTERRUPT, asked)
    return len(asked)


def heard(claim: Claim, verdict: Verdict, interruption: str | None) -> Verdict:
    """What to record of a step during which its execution was interrupted.

    Args:
        interruption: what is recorded of the execution now.
    """
    if interruption in (None, claim.execution.interruption):
        return verdict
    if verdict.state in (ExecutionState.WAITING, ExecutionState.RETRYING):
        return replace(verdict, pause=0.0)
    if verdict.state is ExecutionState.SUCCEEDED and interruption == Interruption.ABORT:
        # The change was completed meanwhile. An abort that was taken goes back all the same.
        return replace(
            verdict,
            state=ExecutionState.WAITING,
            driver_state=claim.execution.driver_state,
            settled=False,
        )
    return verdict


def _reason(row: Row[Any], active: Row[Any]) -> Interruption | None:
    """Why the active one is to stop for a push; None if it is not, or knows already."""
    if not (row.coalesce and active.coalesce) or active.settled or place(row) < place(active):
        return None
    if active.interruption == Interruption.ABORT:
        return None
    return Interruption.ROLLBACK if row.rolls_back else Interruption.NEWER


def _values(
    row: Row[Any], why: Interruption, who: str, now: datetime, said: str | None = None
) -> Mapping[str, Any]:
    return {
        "of_seq": row.seq,
        "why": why.value,
        "who": who[:255],
        "said": said,
        "now": now,
        "anew": why is Interruption.ABORT,
    }
