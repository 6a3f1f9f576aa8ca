"""A push that is to stop: it goes back at the wish of people, or gives way to a newer one.

Any strategy that is one rollout leaves the workload to the newer push as it is: its PATCH replaces
the rollout. If the newer push is refused before that, the rollout is followed further. What is
beside the workload is withdrawn first, so that a newer push which is refused leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.events.event import EventReason
from webhook_drivers.kubernetes.images.push_record import Record
from webhook_drivers.kubernetes.images.step_state import UNBEGUN, Phase, RolloutState
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.strategies.strategy import Look, Step
from webhook_service import Done, DriverError, GiveWay, Interruption, Outcome, Superseded

LOOK = "look at the pods of"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A push on one workload, and why it is to stop."""

    update: ImageUpdate
    why: Interruption

    def decide(self, seen: Json | None = None) -> Outcome:
        """Look and do the next step back.

        Raises:
            Superseded, DriverError, Retry: see ``step``.
        """
        why = self._reason if self.why is Interruption.ABORT else ""
        return self.update.decide(self.step, seen, why)

    def step(self, look: Look) -> Outcome:
        """Do the next step back.

        Raises:
            Superseded: nothing is left to do, and the newer push may begin.
            DriverError, Retry: see ``WebhookDriver.interrupt``.
        """
        update = self.update
        if (begun := update.as_begun(look)) is not update:
            return Interrupted(begun, self.why).step(begun.strategy.look(begun.task))
        record = update.push.record(look.obj)
        update.push.refuse_older(record, update.now())
        state = update.state_at(look, record)
        if state is None:
            return self._not_begun(look, record)
        if self.why is not Interruption.ABORT and not self._is_beside(look):
            return self._giving_way(look, state)
        if self.why is Interruption.NEWER and self._is_decided(look, state):
            return update.go_on(look, state)
        if state.phase is Phase.ROLLING:
            state = update.way_back(state, self._reason).having(stage=UNBEGUN)
        if state.stage != UNBEGUN:
            return self._judge(update.strategy.retreat(update.task, look, state))
        back = state.having(stage="")
        return self._judge(update.strategy.undo(update.task, look, back))

    @property
    def _reason(self) -> str:
        push = self.update.push
        said = "aborted" if self.why is Interruption.ABORT else "withdrawn for a newer push"
        return f"The rollout of {push.image} to {push.address} was {said}."

    def _not_begun(self, look: Look, record: Record) -> Outcome:
        nothing = f"Nothing was changed on {self.update.push.address}."
        if self.why is not Interruption.ABORT:
            raise Superseded(nothing)
        return self.update.unchanged(look, nothing)

    def _is_beside(self, look: Look) -> bool:
        return self.update.strategy.is_beside(self.update.task, look)

    def _is_decided(self, look: Look, state: RolloutState) -> bool:
        forward = state.phase is Phase.ROLLING
        return forward and self.update.strategy.is_decided(self.update.task, look, state)

    def _giving_way(self, look: Look, state: RolloutState) -> GiveWay:
        """It is half done, so it goes on if the newer push is refused.

        Raises:
            Superseded: it is withdrawn as a whole.
        """
        push = self.update.push
        if state.phase is Phase.ROLLBACK and self.update.strategy.reverts:
            message = f"{state.reason} {push.address} runs {self._runs(look, state)}."
            raise Superseded(message, code=WITHDRAWN)
        said = state.reason or f"{push.image} may run on some pods of {push.address}."
        message = f"{said} A newer push is to begin now; if it is refused, this one goes on."
        return GiveWay(state.watch.pause, state.as_json(), message, state.changes)

    def _runs(self, look: Look, state: RolloutState) -> str:
        return ", ".join(sorted(set(self.update.push.images(look.obj, state.previous).values())))

    def _judge(self, step: Step[Any]) -> Outcome:
        update, state, seen = self.update, step.state, step.progress
        push, runs = update.push, self._runs(step.look, state)
        if seen.complete:
            message = f"{state.reason} {push.address} runs {runs}."
            update.task.emit(step.look.obj, EventReason.ROLLED_BACK, message)
            if self.why is not Interruption.ABORT:
                raise Superseded(message, code=WITHDRAWN)
            return Done(state.changes, message)
        if not (seen.failed or update.is_late(step)):
            return update.wait(step, f"{state.reason} On the way back: {seen.message}.")
        message = (
            f"{state.reason} It is set back to {runs}, but that was not complete within "
            f"{update.timeout:g} s ({seen.message}): {LOOK} {push.address}. "
            f"{update.strategy.left(update.task)}"
        ).rstrip()
        if self.why is not Interruption.ABORT:
            raise Superseded(message)
        raise DriverError(message, code="rollback_failed", changes=state.changes)
