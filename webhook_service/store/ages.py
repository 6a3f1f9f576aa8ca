"""Ages in SQL: pushes that are held until their registry has said what their image says of itself.

Such an execution is ``held`` with the reason ``minimum_age`` and has no due time, so no claim sees
it. Once it is known what the image says, claims decide (``store/queue/holding.py``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from webhook_service.driver import PushEvent
from webhook_service.model.as_json import event_to_json
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.notice import Happened
from webhook_service.store.database.database import Database
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.notices import tell
from webhook_service.store.tables import LATER, executions

_E = executions.c
_UNKNOWN = (
    LATER,
    _E.state == ExecutionState.HELD.value,
    _E.reason == Reason.MINIMUM_AGE.value,
    _E.due.is_(None),
)


class AgeStore:
    """Finds pushes whose image's age nobody has asked for yet, and takes the answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_unknown(self, after: str) -> Execution | None:
        """The first such execution whose id comes after this; of any project."""
        query = select(executions).where(*_UNKNOWN, _E.id > after).order_by(_E.id).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return execution_from_row(row) if row else None

    def answered(self, execution_id: str, event: PushEvent | None = None) -> None:
        """Let claims decide on an execution.

        Args:
            event: the push as its registry knows it; None if nobody wants to know any more.
        """
        values: dict[str, Any] = {"due": self._database.now(), "queue": "ready"}
        if event is None:
            values |= {"state": ExecutionState.QUEUED.value, "reason": None, "message": ""}
        else:
            values["event"] = event_to_json(event)
        self._set(execution_id, values)

    def unanswered(self, execution_id: str, message: str) -> None:
        """Say why it is not known yet how old an image is."""
        self._set(execution_id, {"message": message})

    def failed(self, execution_id: str, message: str, reason: str) -> None:
        """End an execution whose image cannot be deployed, or whose age nobody can tell."""
        now = self._database.now()
        ended = {"state": ExecutionState.FAILED.value, "finished": now}
        self._set(execution_id, {**ended, "message": message, "reason": reason}, Happened.FAILED)

    def _set(
        self, execution_id: str, values: dict[str, Any], happened: Happened | None = None
    ) -> None:
        """Change an execution, if nobody has let it go, or ended it, meanwhile."""
        statement = update(executions).where(_E.id == execution_id, *_UNKNOWN).values(values)

        def job(connection: Connection) -> None:
            if connection.execute(statement).rowcount and happened:
                tell(connection, [execution_id], self._database.now(), happened)

        self._database.write(job)
