"""Brings one push to one workload: the steps from the first look to the finished rollout.

Each step reads the live object and decides from it, from the record of pushes on it and from the
state of the last step. Killed anywhere and called again, it goes on where it was: a PATCH carries
the record of its push, and every PATCH needs the resourceVersion that was read. What is written,
and how far it is, is the strategy's to say; the order of pushes and the ends are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.events import EventReason
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import kubectl_undo, pods, unfinished_mark
from webhook_drivers.kubernetes.images.containers import select, tag_of
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.push_plan import Intent
from webhook_drivers.kubernetes.images.push_record import Record
from webhook_drivers.kubernetes.images.rollout import Stage, deadline_mark
from webhook_drivers.kubernetes.images.step_state import Phase, RolloutState
from webhook_drivers.kubernetes.images.stopwatch import FIRST_WAIT
from webhook_drivers.kubernetes.images.workloads import containers
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.kubernetes.strategies.strategy import Look, Network, Step, Strategy, Task
from webhook_service import Done, DriverError, Outcome, Plan, Retry, Unchanged, Wait

MAX_CONFLICTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUpdate:
    """One push, the cluster of its workload, and how the receiver wants it done.

    Args:
        timeout: watched seconds (see ``watch``) for the rollout, for each of its stages, and again
            for its way back.
        rollback: whether a failed rollout is undone.
        now: the clock, in seconds since the epoch.
        allowed: private networks that the strategy's checks may call.
    """

    cluster: Cluster
    push: Push
    strategy: Strategy[Any] = field(default_factory=Rolling)
    timeout: float = 600
    rollback: bool = False
    now: Callable[[], float]
    allowed: tuple[Network, ...] = ()

    @property
    def task(self) -> Task:
        return Task(cluster=self.cluster, push=self.push, now=self.now, allowed=self.allowed)

    def step(self, seen: Json | None = None) -> Outcome:
        """Do the next step.

        Args:
            seen: the live object, if it was read just now.

        Raises:
            Superseded, TargetConflict, DriverError, Retry: see ``WebhookDriver.execute``.
        """
        for _ in range(MAX_CONFLICTS):
            look = self._look(seen)
            seen = None
            try:
                return self._decide(look)
            except Conflict:
                continue
        raise Retry(f"{self.push.address} was changed by others {MAX_CONFLICTS} times meanwhile.")

    def running_tags(self, seen: Json | None = None) -> tuple[str, ...]:
        """The tags that the containers which this push would change run now."""
        push = self.push
        found = select(
            str(push.address),
            containers(push.workload, self._look(seen).obj),
            push.event,
            push.wanted,
            push.context.named,
        )
        return tuple(tag for item in found if (tag := tag_of(item.image)))

    def plan(self, seen: Json | None = None) -> Plan:
        """What the first step would change, after the cluster's own checks of it."""
        push = self.push
        look = self._look(seen)
        obj = look.obj
        record = push.record(obj)
        if push.context.order_key:
            push.refuse_older(record, self.now())
        if push.context.identity and (held := push.held_back(obj, record)):
            return Plan(notes=(held,))
        push.refuse_paused(obj)
        intent = push.intent(obj)
        if not intent.needed:
            return Plan(notes=(f"{push.address} already runs {push.image}.",))
        unfinished_mark.refuse(obj, push.address, self.strategy.type, push.repository)
        notes: tuple[str, ...] = ()
        try:
            self.task.patch(self.strategy.first_patch(self.task, look), dry_run=True)
        except DriverError as error:
            notes = (error.message,)
        return Plan(intent.changes(push.address), notes)

    def _look(self, seen: Json | None) -> Look:
        look: Look = Look(seen) if seen else self.strategy.look(self.task)
        return look

    def _decide(self, look: Look) -> Outcome:
        record = self.push.record(look.obj)
        self.push.refuse_older(record, self.now())
        state = RolloutState.read(self.push.context.state)
        if state is None:
            return self._start(look, record)
        state = state.looked_at(self.now())
        if state.phase is Phase.ROLLING and self.push.is_undone(record):
            state = self._way_back(state)
        return self._go_on(look, state)

    def _go_on(self, look: Look, state: RolloutState) -> Outcome:
        if state.phase is Phase.ROLLBACK:
            return self._judge_back(self.strategy.retreat(self.task, look, state))
        return self._judge(self.strategy.follow(self.task, look, state))

    def _start(self, look: Look, record: Record) -> Outcome:
        push, obj = self.push, look.obj
        if push.is_ours(record):
            return self._resume(look, record)
        if held := push.held_back(obj, record):
            return self._unchanged(look, held)
        push.refuse_paused(obj)
        intent = push.intent(obj)
        if intent.needed:
            return self._begin(look, intent)
        if push.context.rolls_back:
            self.task.patch(push.claim(obj))
        return self._unchanged(look, f"{push.address} already runs {push.image}.")

    def _unchanged(self, look: Look, reason: str) -> Outcome:
        """Nothing to do for this push; an earlier one may have left something to tidy up."""
        left = self.strategy.tidy(self.task, look)
        if left is None:
            return Unchanged(reason)
        after = FIRST_WAIT if left.after is None else left.after
        return Wait(after, {}, left.message, settled=True)

    def _begin(self, look: Look, intent: Intent) -> Outcome:
        push = self.push
        unfinished_mark.refuse(look.obj, push.address, self.strategy.type, push.repository)
        if newer := kubectl_undo.taken_back(self.cluster, push, look.obj, self.now()):
            push.refuse_older(newer, self.now())
            obj = push.remembering(look.obj, newer)
            look = replace(look, obj=obj)
            if held := push.held_back(obj, push.record(obj)):
                return self._unchanged(look, held)
        state = self._opening(intent, deadline_mark(look.obj))
        step = self.strategy.begin(self.task, look, state)
        self.task.emit(step.look.obj, EventReason.IMAGE_UPDATED, f"{self.push.cause}.")
        return self._judge(step)

    def _resume(self, look: Look, record: Record) -> Outcome:
        """Go on after a crash between a PATCH and the record of its ``Wait``."""
        intent = self.push.intent(look.obj)
        state = self._opening(intent.since(record), None)
        return self._go_on(look, self._way_back(state) if self.push.is_undone(record) else state)

    def _opening(self, intent: Intent, stale_deadline: str | None) -> RolloutState:
        now = self.now()
        return RolloutState(
            phase=Phase.ROLLING,
            started=now,
            seen=now,
            expected={item.name: item.image for item in intent.desired},
            previous=intent.previous,
            previous_push=intent.current_push,
            stale_deadline=stale_deadline,
            changes=intent.changes(self.push.address),
        )

    def _judge(self, step: Step[Any]) -> Outcome:
        state, seen = step.state, step.progress
        if seen.complete:
            message = f"{seen.message} {self.push.image}."
            self.task.emit(step.look.obj, EventReason.ROLLOUT_COMPLETE, message)
            return Done(state.changes, message)
        if seen.failed or self._is_late(step):
            return self._fail(step)
        return self._wait(step, seen.message)

    def _fail(self, step: Step[Any]) -> Outcome:
        seen, state = step.progress, step.state
        how = "failed" if seen.failed else f"did not complete within {self.timeout:g} s"
        what = f"The rollout of {self.push.image} to {self.push.address}"
        why = pods.trouble(self.cluster, step.look.obj)
        reason = f"{what} {how}: {seen.message.rstrip('.')}{f' ({why})' if why else ''}."
        if self.rollback or self.strategy.reverts:
            back = self._roll_back(step.look, self._way_back(state, reason))
            self.task.emit(step.look.obj, EventReason.ROLLOUT_FAILED, reason)
            return self._judge_back(back)
        self.task.emit(step.look.obj, EventReason.ROLLOUT_FAILED, reason)
        code = "rollout_failed" if seen.failed else "rollout_timeout"
        raise DriverError(f"{reason} {self._advice()}", code=code, changes=state.changes)

    def _advice(self) -> str:
        address = self.push.address
        where = f"-n {address.namespace} describe {address.resource.plural} {address.name}"
        return f"Look at it and its pods (kubectl {where}), then push again or roll back."

    def _roll_back(self, look: Look, state: RolloutState) -> Step[Any]:
        try:
            return self.strategy.undo(self.task, look, state)
        except (Conflict, Retry):
            raise
        except DriverError as error:
            message = f"{state.reason} It could not be rolled back: {error.message}"
            raise DriverError(message, code="rollback_failed", changes=state.changes) from error

    def _judge_back(self, step: Step[Any]) -> Outcome:
        state, seen = step.state, step.progress
        previous = ", ".join(sorted(set(state.previous.values())))
        if seen.complete:
            message = f"{state.reason} It was rolled back to {previous}: push a newer image."
            self.task.emit(step.look.obj, EventReason.ROLLED_BACK, message)
            raise DriverError(message, code="rolled_back", changes=state.changes)
        if seen.failed or self._is_late(step):
            message = (
                f"{state.reason} The rollback to {previous} did not complete within "
                f"{self.timeout:g} s either ({seen.message}): look at the pods of "
                f"{self.push.address}."
            )
            raise DriverError(message, code="rollback_failed", changes=state.changes)
        return self._wait(step, f"rolling back: {seen.message}")

    def _way_back(self, state: RolloutState, reason: str = "") -> RolloutState:
        """The state of the way back; its stages are counted from their own beginning."""
        failed = f"The rollout of {self.push.image} to {self.push.address} failed."
        now = self.now()
        return state.having(
            phase=Phase.ROLLBACK,
            started=now,
            seen=now,
            stage="",
            expected=state.previous,
            reason=reason or failed,
        )

    def _is_late(self, step: Step[Any]) -> bool:
        if step.progress.stage in (Stage.PAUSED, Stage.SETTLED):
            return False
        return step.state.watch.elapsed >= self.timeout

    def _wait(self, step: Step, message: str) -> Wait:
        state = step.state
        after = step.progress.after
        return Wait(
            state.watch.pause if after is None else after,
            state.as_json(),
            message,
            state.changes,
            settled=step.progress.stage is Stage.SETTLED,
        )
