"""Interventions: what people do with executions, beside looking at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.model.audit import APPLICATION, Actor
from webhook_service.model.execution import Execution
from webhook_service.model.ids import EXECUTION, new_id
from webhook_service.model.replays import Replayed, ReplayFilter
from webhook_service.model.revision import Revision
from webhook_service.people.rollback import choose_slot, history, way_back
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.receiving.compiled import CompiledReceiver
from webhook_service.store.store import Store

CANCELLED = "Cancelled; what it had changed already stays."


class Interventions:
    """Replays, cancels, approves and rolls back, each within a project.

    Every method works in one project only. An id of another project raises NotFound. ``by`` says
    who does it, for the history and the audit.

    Args:
        wake: tells the engine of executions that may run now.
    """

    def __init__(
        self, store: Store, receivers: CompiledReceivers, wake: Callable[[Sequence[str]], None]
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._wake = wake

    def replay(
        self, project: str, execution_id: str, *, as_of: bool = False, by: Actor = APPLICATION
    ) -> Execution:
        """Run the event of an ended execution once more, as a new execution.

        Args:
            as_of: give it the old one's place in the order, so that newer pushes still win. If
                false, it counts as the newest push.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has not ended yet.
        """
        made = self._store.replays.replay(project, execution_id, new_id(EXECUTION), as_of, by)
        self._wake([made.id])
        return made

    def replay_all(
        self,
        project: str,
        wanted: ReplayFilter,
        *,
        as_of: bool = False,
        dry_run: bool = False,
        by: Actor = APPLICATION,
    ) -> Replayed:
        """Replay all ended executions that a filter finds, oldest first.

        It leaves out what was replayed before. So repeat the call until nothing remains.

        Args:
            as_of: see ``replay``; of one slot only the newest runs in any case.
            dry_run: only say which ones.
        """
        if dry_run:
            return self._store.replays.find(project, wanted)
        made = self._store.replays.replay_all(project, wanted, as_of, by)
        self._wake(made.executions)
        return made

    def cancel(self, project: str, execution_id: str, *, by: Actor = APPLICATION) -> Execution:
        """End an execution that has not ended. What it has changed already stays changed.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """
        return self._store.executions.cancel(project, execution_id, CANCELLED, by)

    def approve(self, project: str, execution_id: str, by: Actor) -> Execution:
        """Approve an execution that waits for it. It runs when enough people have approved it.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it does not wait for approval, or no longer.
        """
        held_until = self._frozen_until(self._store.executions.get(project, execution_id))
        found = self._store.approvals.approve(project, execution_id, by, held_until)
        self._wake([found.id])
        return found

    def refuse(self, project: str, execution_id: str, by: Actor) -> Execution:
        """Refuse an execution that waits for approval. One refusal ends it.

        Raises:
            NotFound, InvalidRequest: see ``approve``.
        """
        return self._store.approvals.refuse(project, execution_id, by)

    def history(self, project: str, receiver_id: str) -> list[Revision]:
        """What the receiver has deployed, newest first in each of its slots.

        Raises:
            NotFound: no such receiver in the project.
        """
        self._store.receivers.get(project, receiver_id)
        slots = self._store.revisions.by_slot(project, receiver_id)
        return [revision for found in slots for revision in history(found)]

    def roll_back(
        self,
        project: str,
        receiver_id: str,
        to: str | None = None,
        repository: str | None = None,
        *,
        by: Actor = APPLICATION,
    ) -> Execution:
        """Deploy what ran before, as the newest push.

        It runs at once: the receiver's rules, freeze windows and approvals do not apply.

        Args:
            to: an execution of the receiver's history, or an image in it; without it, what ran
                before the newest push.
            repository: which one to roll back, if the receiver deploys several.

        Raises:
            NotFound: no such receiver in the project.
            InvalidRequest: there is no such way back; the message says what to do.
        """
        compiled = self._receivers.of(self._store.receivers.get(project, receiver_id))
        if compiled.driver.consumes is not PushEvent:
            driver = compiled.receiver.spec.driver
            raise InvalidRequest(f"The driver {driver} deploys no images: nothing to roll back.")
        found = choose_slot(self._slots(compiled), to, repository)
        active = self._store.revisions.active(found[0].slot)
        way = way_back([*active, *found], to)
        made = self._store.revisions.roll_back(compiled.receiver, way, new_id(EXECUTION), by)
        self._wake([made.id])
        return made

    def _slots(self, compiled: CompiledReceiver) -> list[list[Execution]]:
        """The revisions of each slot that the receiver still has: its target may have changed."""
        receiver = compiled.receiver
        recorded = self._store.revisions.by_slot(receiver.project, receiver.id)
        return [found for found in recorded if compiled.slot_of(found[0].event) == found[0].slot]

    def _frozen_until(self, execution: Execution) -> datetime | None:
        try:
            receiver = self._store.receivers.get(execution.project, execution.receiver)
        except NotFound:
            return None
        return self._receivers.of(receiver).matcher.frozen_until(datetime.now(UTC))
