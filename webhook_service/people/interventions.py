"""Interventions: what people do with executions, beside looking at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from webhook_service.driver import Plan, PushEvent
from webhook_service.errors import Change, InvalidRequest, NotFound
from webhook_service.formats.format import Parsed
from webhook_service.images import parse_image
from webhook_service.model.delivery import Call, Decision, Delivery
from webhook_service.model.execution import Execution
from webhook_service.model.history.replays import Replayed, ReplayFilter
from webhook_service.model.history.revision import Revision, WayBack
from webhook_service.model.ids import DELIVERY, EXECUTION, new_id
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
)
from webhook_service.people.history import NOBODY_LOOKED, history
from webhook_service.people.looks import Looks
from webhook_service.people.rollback import choose_slot, way_back
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.receiving.compiled import CompiledReceiver
from webhook_service.store.store import Store

BY_HAND = "pushed by"


class Interventions:
    """Replays, cancels, aborts, approves and rolls back, each within a project.

    Every method works in one project only. An id of another project raises NotFound. ``by`` says
    who does it, for the history and the audit.

    Args:
        looks: asks drivers what runs.
        wake: tells the engine of executions that may run now.
        commit: stores a decision (see ``WebhookService.commit``).
    """

    def __init__(
        self,
        store: Store,
        receivers: CompiledReceivers,
        looks: Looks,
        wake: Callable[[Sequence[str]], None],
        commit: Callable[[Decision], Delivery],
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._wake = wake
        self._looks = looks
        self._commit = commit

    def push(
        self, project: str, receiver_id: str, image: str, *, by: Actor = APPLICATION
    ) -> Delivery:
        """Take an image as if its registry had told of it; the receiver's rules apply.

        Args:
            image: with a tag, a digest or both, such as ``acme/shop:1.2.3``.

        Raises:
            NotFound: no such receiver in the project.
            InvalidRequest: this is no image, or the receiver's driver takes none.
        """
        compiled = self._receivers.of(self._store.receivers.get(project, receiver_id))
        _require_images(compiled)
        pushed = parse_image(image)
        if pushed.tag is None and pushed.digest is None:
            raise InvalidRequest(f"{image[:300]} names no tag: write {image[:300]}:1.2.3.")
        event = PushEvent(
            registry=pushed.registry,
            repository=pushed.repository,
            tag=pushed.tag,
            digest=pushed.digest,
            actor=by.name,
        )
        call, message = Call(b"", client=f"{BY_HAND} {by.name}"[:64]), new_id(DELIVERY)
        now = self._store.now()
        decision = compiled.decide_on(Parsed((event,)), call, now, message)
        taken = decision.delivery.id
        told = (FieldChange("image", None, event.image), FieldChange("delivery", None, taken))
        action = AuditAction.RECEIVER_PUSHED
        entry = AuditEntry(by, action, project, receiver_id, receiver_id, told, at=now)
        return self._commit(replace(decision, audited=entry))

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

    def cancel(
        self,
        project: str,
        execution_id: str,
        *,
        force: bool = False,
        by: Actor = APPLICATION,
    ) -> Execution:
        """End an execution that has not begun to change its target.

        Args:
            force: also one that has. What it has changed stays as it is, half done or not.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already, or has begun: ``abort`` goes back.
        """
        return self._store.executions.cancel(project, execution_id, by, force=force)

    def abort(self, project: str, execution_id: str, *, by: Actor = APPLICATION) -> Execution:
        """Stop an execution and go back to what ran before it, at once and without pauses.

        The answer does not wait for the way back: the execution ends as ``cancelled`` after it.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """
        found = self._store.executions.abort(project, execution_id, by)
        self._wake([found.id])
        return found

    def approve(
        self, project: str, execution_id: str, by: Actor, *, link_of: str | None = None
    ) -> Execution:
        """Approve an execution that waits for it. It runs when enough people have approved it.

        Args:
            link_of: the notification whose link brings the vote, which then counts only if this
                person has not voted before.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it does not wait for approval, or no longer; or the link is used up.
        """
        held_until = self._frozen_until(self._store.executions.get(project, execution_id))
        found = self._store.approvals.approve(project, execution_id, by, held_until, link_of)
        self._wake([found.id])
        return found

    def refuse(
        self, project: str, execution_id: str, by: Actor, *, link_of: str | None = None
    ) -> Execution:
        """Refuse an execution that waits for approval. One refusal ends it.

        Raises:
            NotFound, InvalidRequest: see ``approve``.
        """
        return self._store.approvals.refuse(project, execution_id, by, link_of)

    def release(self, project: str, execution_id: str, *, by: Actor = APPLICATION) -> Execution:
        """Let an execution run now that a rule of its receiver holds.

        Such rules are ``match.minimumAge``, ``match.after`` and ``match.freeze``. What holds the
        whole project, a suspension and a wait for approval stay.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: no such rule holds it; the message says what to do instead.
        """
        found = self._store.releases.release(project, execution_id, by)
        self._wake([found.id])
        return found

    def history(self, project: str, receiver_id: str, *, look: bool = True) -> list[Revision]:
        """What the receiver has deployed, newest first in each of its slots, and what runs.

        Args:
            look: ask its driver what runs; if false, it is what is recorded.

        Raises:
            NotFound: no such receiver in the project.
        """
        receiver = self._store.receivers.get(project, receiver_id)
        slots = self._store.revisions.by_slot(project, receiver_id)
        if not look:
            return [revision for found in slots for revision in history(found)]
        see = self._looks.at(receiver)
        return [revision for found in slots for revision in history(found, see(found))]

    def roll_back(
        self,
        project: str,
        receiver_id: str,
        to: str | None = None,
        repository: str | None = None,
        *,
        by: Actor = APPLICATION,
    ) -> Execution:
        """Deploy the last good image before the one that runs, as the newest push.

        It runs at once: the receiver's rules, freeze windows and approvals do not apply.

        Args:
            to: an execution of the receiver's history, or an image in it; without it, the newest
                one before what runs whose rollout completed.
            repository: which one to roll back, if the receiver deploys several.

        Raises:
            NotFound: no such receiver in the project.
            InvalidRequest: there is no such way back; the message says what to do.
        """
        compiled, way = self._way_back(project, receiver_id, to, repository)
        made = self._store.revisions.roll_back(compiled.receiver, way, new_id(EXECUTION), by)
        self._wake([made.id])
        return made

    def plan_rollback(
        self, project: str, receiver_id: str, to: str | None = None, repository: str | None = None
    ) -> Plan:
        """What ``roll_back`` would change now. Nothing is changed.

        Raises:
            NotFound, InvalidRequest: see ``roll_back``.
            DriverError, Retry, PluginUnavailable: the target does not say what would change.
        """
        compiled, way = self._way_back(project, receiver_id, to, repository)
        if way.images:
            images = way.images.items()
            return Plan(changes=tuple(Change(name, "image", None, image) for name, image in images))
        shared = self._store.projects.shares(project)
        named = compiled.matcher.names(way.event)
        return compiled.plan(way.event, named=named, shared=shared)

    def rollback_target(
        self, project: str, receiver_id: str, to: str | None = None, repository: str | None = None
    ) -> str | None:
        """The image to which ``roll_back`` would go now; None where targets go to several.

        Whoever asks people first hands it to ``roll_back`` as ``to``: what they saw is what is
        done, also if they press twice, or if a push came meanwhile.

        Raises:
            NotFound, InvalidRequest: see ``roll_back``.
        """
        _, way = self._way_back(project, receiver_id, to, repository)
        return None if way.images else way.event.image

    def _way_back(
        self, project: str, receiver_id: str, to: str | None, repository: str | None
    ) -> tuple[CompiledReceiver, WayBack]:
        compiled = self._receivers.of(self._store.receivers.get(project, receiver_id))
        _require_images(compiled)
        found = choose_slot(self._slots(compiled), to, repository)
        active = self._store.revisions.active(found[0].slot)
        known = {execution.id for execution in active}
        whole = [*active, *(execution for execution in found if execution.id not in known)]
        sight = self._looks.at(compiled.receiver)(whole) or NOBODY_LOOKED
        return compiled, way_back(whole, to, sight)

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
        return self._receivers.of(receiver).matcher.frozen_until(self._store.now())


def _require_images(compiled: CompiledReceiver) -> None:
    if compiled.driver.consumes is not PushEvent:
        driver = compiled.receiver.spec.driver
        raise InvalidRequest(
            f"The driver {driver} deploys no images: there is nothing to push or to roll back."
        )
