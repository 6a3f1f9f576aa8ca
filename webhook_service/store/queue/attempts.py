"""Attempts: a row for each try at an execution, made before its driver is called.

It is closed when the try ends or gives way to a retry. A driver that waits is called several times
in one attempt: those are its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, update

from webhook_service.model.execution import Claim, ExecutionState
from webhook_service.store.tables import Moment, attempts

_OF_EXECUTION = attempts.c.execution == bindparam("of_execution")
_THIS = (_OF_EXECUTION, attempts.c.number == bindparam("of_number"))
_OUTCOME: Mapping[str, Any] = {
    "state": bindparam("to_state"),
    "message": bindparam("said"),
    "finished": bindparam("now", type_=Moment),
}
_BEGIN = insert(attempts)
_ADD_STEP = update(attempts).where(*_THIS).values(steps=attempts.c.steps + 1)
_DROP = delete(attempts).where(*_THIS)
_DROP_STEP = update(attempts).where(*_THIS).values(steps=attempts.c.steps - 1)
_CLOSE = update(attempts).where(*_THIS).values(**_OUTCOME)
_CLOSE_OPEN = (
    update(attempts).where(_OF_EXECUTION, attempts.c.finished.is_(None)).values(**_OUTCOME)
)


class AttemptOutcome(NamedTuple):
    """What came of an attempt at an execution; it is over unless ``finished`` is None."""

    execution: str
    state: ExecutionState
    message: str
    finished: datetime | None

    def values(self) -> dict[str, Any]:
        """For the statements here."""
        return {
            "of_execution": self.execution,
            "to_state": self.state.value,
            "said": self.message,
            "now": self.finished,
        }


def begin(connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
    """Count the attempts of new claims; one that is resumed goes on with its own, by one step."""
    running = ExecutionState.RUNNING.value
    begun = [
        {
            "execution": claim.execution.id,
            "number": claim.attempt,
            "started": now,
            "state": running,
        }
        for claim in claims
        if not claim.resumed
    ]
    if begun:
        connection.execute(_BEGIN, begun)
    if steps := [_name(claim) for claim in claims if claim.resumed]:
        connection.execute(_ADD_STEP, steps)


def undo(connection: Connection, claim: Claim) -> None:
    """Take back what ``begin`` counted, because the driver was not called."""
    connection.execute(_DROP_STEP if claim.resumed else _DROP, _name(claim))


def close(connection: Connection, outcomes: Sequence[tuple[int, AttemptOutcome]]) -> None:
    """Note what attempts came to, each with its number."""
    if outcomes:
        connection.execute(
            _CLOSE, [{**outcome.values(), "of_number": number} for number, outcome in outcomes]
        )


def close_open(connection: Connection, outcomes: Sequence[AttemptOutcome]) -> None:
    """Note what came of the attempts that are open; an execution has one at most."""
    if outcomes:
        connection.execute(_CLOSE_OPEN, [outcome.values() for outcome in outcomes])


def _name(claim: Claim) -> Mapping[str, Any]:
    return {"of_execution": claim.execution.id, "of_number": claim.attempt}
