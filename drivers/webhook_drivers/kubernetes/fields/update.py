"""Brings one push to fields of one object: from the first look until its controller has followed.

Each step reads the live object and decides from it, from the record of pushes on it and from the
state of the last step, as ``images/update.py`` does for workloads. Every PATCH carries the record
and needs the resourceVersion that was read, so a step that died is found again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.client import MERGE, Cluster
from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.events.event import EventReason, emit
from webhook_drivers.kubernetes.fields.push import FieldPush
from webhook_drivers.kubernetes.images.rollout import Progress
from webhook_drivers.kubernetes.images.step_state import Phase, RolloutState
from webhook_drivers.kubernetes.live.health import health
from webhook_service import Done, DriverError, Interruption, Outcome, Superseded, Unchanged, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUpdate:
    """One push, the cluster of its object, and how the receiver wants it done.

    Args:
        timeout: watched seconds for the controller to follow, and again for the way back.
        rollback: whether a change that fails is taken back.
        now: the clock, in seconds since the epoch.
    """

    cluster: Cluster
    push: FieldPush
    timeout: float = 600
    rollback: bool = False
    now: Callable[[], float]

    def step(self) -> Outcome:
        """Do the next step.

        Raises:
            Superseded, TargetConflict, DriverError, Retry: see ``WebhookDriver.execute``.
        """
        return optimistically(self.push.address, self._step)

    def interrupt(self, why: Interruption) -> Outcome:
        """Do the next step of a push that is to stop; a newer one begins from whatever is there."""
        if why is not Interruption.ABORT:
            raise Superseded(f"A newer push to {self.push.address} runs instead.")
        return optimistically(self.push.address, self._abort)

    def _step(self) -> Outcome:
        obj, state = self._look()
        if state is None:
            return self._start(obj)
        if state.phase is Phase.ROLLBACK:
            return self._go_back(obj, state)
        self.push.refuse_foreign(obj, state)
        return self._judge(obj, state)

    def _abort(self) -> Outcome:
        obj, state = self._look()
        if state is None:
            return Unchanged(f"Nothing was changed on {self.push.address}.")
        if state.phase is Phase.ROLLING:
            said = f"The change of {self.push.address} to {self.push.pushed.image} was aborted."
            state = self._way_back(state, said)
        return self._go_back(obj, state, aborted=True)

    def _look(self) -> tuple[Json, RolloutState | None]:
        """The live object, and where this push stands on it; None before it began."""
        obj = self.cluster.get(self.push.address)
        record = self.push.record(obj)
        context = self.push.pushed.context
        record.refuse_older(self.push.address, self.push.repository, context, self.now())
        state = RolloutState.read(context.state)
        if state is not None:
            state = state.looked_at(self.now())
        elif record.is_by(context):
            # Killed between a PATCH and the record of its ``Wait``.
            state = self._opening(obj, record.previous)
        held = {item.identity for item in record.held}
        undone = record.is_by(context) and context.identity in held
        if state and undone and state.phase is Phase.ROLLING:
            state = self._way_back(state)
        return obj, state

    def _start(self, obj: Json) -> Outcome:
        push = self.push
        if held := push.held_back(obj):
            return Unchanged(held)
        before, wanted = push.values(obj, push.fields), push.wanted(obj)
        if before == wanted:
            if push.pushed.context.rolls_back:
                self._patch(push.patch(obj, {}, {}))
            return Unchanged(f"{push.address} already has {push.pushed.image}.")
        good = self._last_good(obj, before)
        state = self._opening(obj, good).having(changes=push.changes(before, wanted))
        obj = self._patch(push.patch(obj, wanted, good))
        self._tell(obj, EventReason.IMAGE_UPDATED, f"{push.cause}.")
        return self._judge(obj, state)

    def _last_good(self, obj: Json, before: dict[str, str]) -> dict[str, str]:
        """The values to go back to; where those of now never got well, the ones before them."""
        earlier = self.push.record(obj).previous
        is_well = health(obj).complete or earlier.keys() != before.keys()
        return before if is_well else earlier

    def _opening(self, obj: Json, previous: dict[str, str]) -> RolloutState:
        now, expected = self.now(), self.push.wanted(obj)
        return RolloutState(
            phase=Phase.ROLLING,
            started=now,
            seen=now,
            expected=expected,
            previous=previous,
            changes=self.push.changes(previous, expected),
        )

    def _judge(self, obj: Json, state: RolloutState) -> Outcome:
        push, seen = self.push, health(obj)
        if seen.complete:
            message = f"{push.address} has {push.pushed.image}: {seen.message.rstrip('.')}."
            self._tell(obj, EventReason.ROLLOUT_COMPLETE, message)
            return Done(state.changes, message)
        if not self._is_over(seen, state):
            return Wait(state.watch.pause, state.as_json(), seen.message, state.changes)
        reason = (
            f"{push.address} was set to {push.pushed.image}, but what follows {self._how(seen)}: "
            f"{seen.message.rstrip('.')}."
        )
        self._tell(obj, EventReason.ROLLOUT_FAILED, reason)
        if self.rollback:
            return self._go_back(obj, self._way_back(state, reason))
        where = f"{push.address.resource.qualified} {push.address.name}"
        raise DriverError(
            f"{reason} Look at it (kubectl -n {push.address.namespace} describe {where}), then "
            "push again or roll back.",
            code="rollout_failed" if seen.failed else "rollout_timeout",
            changes=state.changes,
        )

    def _way_back(self, state: RolloutState, reason: str = "") -> RolloutState:
        now = self.now()
        failed = f"The change of {self.push.address} to {self.push.pushed.image} failed."
        return state.having(
            phase=Phase.ROLLBACK,
            started=now,
            seen=now,
            expected=state.previous,
            reason=reason or failed,
        )

    def _go_back(self, obj: Json, state: RolloutState, *, aborted: bool = False) -> Outcome:
        push = self.push
        record = push.record(obj)
        if push.pushed.context.identity not in {item.identity for item in record.held}:
            obj = self._patch(push.undo_patch(obj, state))
        seen = health(obj)
        images = ", ".join(sorted(set(push.images(state.previous).values())))
        if seen.complete:
            message = f"{state.reason} It was set back to {images}."
            self._tell(obj, EventReason.ROLLED_BACK, message)
            if aborted:
                return Done(state.changes, message)
            raise DriverError(
                f"{message} Push a newer image.", code="rolled_back", changes=state.changes
            )
        if not self._is_over(seen, state):
            message = f"rolling back: {seen.message}"
            return Wait(state.watch.pause, state.as_json(), message, state.changes)
        raise DriverError(
            f"{state.reason} It was set back to {images}, but what follows {self._how(seen)}: "
            f"{seen.message.rstrip('.')}.",
            code="rollback_failed",
            changes=state.changes,
        )

    def _is_over(self, seen: Progress, state: RolloutState) -> bool:
        return seen.failed or state.watch.elapsed >= self.timeout

    def _how(self, seen: Progress) -> str:
        return "failed" if seen.failed else f"did not end within {self.timeout:g} s"

    def _patch(self, patch: Json) -> Json:
        return self.cluster.patch(self.push.address, patch, content_type=MERGE)

    def _tell(self, obj: Json, reason: EventReason, message: str) -> None:
        emit(self.cluster, self.push.address, obj, self.push.pushed.context, reason, message)
