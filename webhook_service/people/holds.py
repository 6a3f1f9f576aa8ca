"""Holds: stop a whole project, and let it go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook_service.model.ids import new_id, require_project_id
from webhook_service.model.people.audit import APPLICATION, Actor
from webhook_service.model.people.hold import HOLD, Hold
from webhook_service.store.store import Store


class Holds:
    """Places and releases the holds of a project. ``by`` says who does it, for the audit.

    Args:
        wake: tells the engine of executions that may run now.
    """

    def __init__(self, store: Store, wake: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._wake = wake

    def place(self, project: str, why: str, *, name: str = "hold", by: Actor = APPLICATION) -> Hold:
        """Let nothing of a project begin until this hold, and each other one, is released.

        Pushes are accepted and wait. A rollout that is under way goes on to its end, and a
        rollback by people runs.

        Args:
            name: unique among the holds of the project.

        Raises:
            InvalidRequest: the project has a hold of this name.
            LimitReached: it has too many.
        """
        require_project_id(project)
        hold = Hold(new_id(HOLD), project, name, why, by.name[:255], self._store.now())
        self._store.holds.add(hold, by)
        return hold

    def release(self, project: str, hold_id: str, *, by: Actor = APPLICATION) -> Hold:
        """End a hold; after the last one the newest push of each slot runs.

        Raises:
            NotFound: no such hold in the project.
        """
        released = self._store.holds.release(project, hold_id, by)
        self._wake(released.executions)
        return released.hold

    def list(self, project: str) -> Sequence[Hold]:
        """The holds of a project, the oldest first."""
        return self._store.holds.of(project)
