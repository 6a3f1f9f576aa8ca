"""Brings one push to one workload: the steps from the first look to the finished rollout.

Each step reads the live object and decides from it, from the record of pushes on it and from the
state of the last step. Killed anywhere and called again, it goes on where it was: a PATCH carries
the record of its push, and every PATCH needs the resourceVersion that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from webhook_drivers.kubernetes.client import Cluster
from webhook_drivers.kubernetes.events import Reason, emit
from webhook_drivers.kubernetes.faults import Conflict
from webhook_drivers.kubernetes.intent import Intent
from webhook_drivers.kubernetes.push import Push
from webhook_drivers.kubernetes.record import Record
from webhook_drivers.kubernetes.resources import Json
from webhook_drivers.kubernetes.rollout import Progress, deadline_mark, progress
from webhook_drivers.kubernetes.selection import select, tag_of
from webhook_drivers.kubernetes.state import Phase, RolloutState
from webhook_drivers.kubernetes.workloads import containers
from webhook_service import Done, DriverError, Outcome, Plan, Retry, Unchanged, Wait

MAX_CONFLICTS = 5
FIRST_WAIT, LONGEST_WAIT = 0.5, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUpdate:
    """One push, the cluster of its workload, and how the receiver wants it done.

    Args:
        rolling: limits of the rolling update to set.
        timeout: seconds for the rollout, and again for its way back.
        rollback: whether a failed rollout is undone.
        now: the clock, in seconds since the epoch.
    """

    cluster: Cluster
    push: Push
    rolling: Mapping[str, int | str] = field(default_factory=dict)
    timeout: float = 600
    rollback: bool = False
    now: Callable[[], float]

    def step(self) -> Outcome:
        """Do the next step.

        Raises:
            Superseded, TargetConflict, DriverError, Retry: see ``WebhookDriver.execute``.
        """
        for _ in range(MAX_CONFLICTS):
            obj = self.cluster.get(self.push.address)
            try:
                return self._decide(obj)
            except Conflict:
                continue
        raise Retry(f"{self.push.address} was changed by others {MAX_CONFLICTS} times meanwhile.")

    def running_tags(self) -> tuple[str, ...]:
        """The tags that the containers which this push would change run now."""
        push = self.push
        found = select(
            str(push.address),
            containers(push.workload, self.cluster.get(push.address)),
            push.event,
            push.wanted,
            push.context.named,
        )
        return tuple(tag for item in found if (tag := tag_of(item.image)))

    def plan(self) -> Plan:
        """What the first step would change, after the cluster's own checks of it."""
        push = self.push
        obj = self.cluster.get(push.address)
        if push.context.order_key:
            push.refuse_older(push.record(obj))
        push.refuse_paused(obj)
        intent = push.intent(obj)
        if not intent.needed:
            return Plan(notes=(f"{push.address} already runs {push.image}.",))
        notes: tuple[str, ...] = ()
        try:
            self.cluster.patch(push.address, push.patch(obj, intent, self.rolling), dry_run=True)
        except DriverError as error:
            notes = (error.message,)
        return Plan(intent.changes(push.address), notes)

    def _decide(self, obj: Json) -> Outcome:
        record = self.push.record(obj)
        self.push.refuse_older(record)
        state = RolloutState.read(self.push.context.state)
        if state is None:
            return self._start(obj, record)
        if state.phase is Phase.ROLLING and self.push.is_undone(record):
            state = self._way_back(state)
        return self._go_on(obj, state)

    def _go_on(self, obj: Json, state: RolloutState) -> Outcome:
        self.push.refuse_foreign(obj, state)
        if state.phase is Phase.ROLLBACK:
            return self._follow_back(obj, state)
        return self._follow(obj, state)

    def _start(self, obj: Json, record: Record) -> Outcome:
        push = self.push
        if push.is_ours(record):
            return self._resume(obj, record)
        if record.held and record.held == push.context.identity:
            return Unchanged(
                f"{push.image} was rolled back on {push.address} and is not deployed again by "
                "the same push: push it again to deploy it."
            )
        push.refuse_paused(obj)
        intent = push.intent(obj)
        if not intent.needed:
            return Unchanged(f"{push.address} already runs {push.image}.")
        return self._apply(obj, intent)

    def _apply(self, obj: Json, intent: Intent) -> Outcome:
        patch = self.push.patch(obj, intent, self.rolling)
        patched = self.cluster.patch(self.push.address, patch)
        self._emit(patched, Reason.IMAGE_UPDATED, f"{self.push.cause}.")
        state = RolloutState(
            phase=Phase.ROLLING,
            started=self.now(),
            # Read back, because admission plug-ins may rewrite images.
            expected=self.push.images(patched, intent.previous),
            previous=intent.previous,
            previous_push=intent.current_push,
            stale_deadline=deadline_mark(obj),
            changes=intent.changes(self.push.address),
        )
        return self._follow(patched, state)

    def _resume(self, obj: Json, record: Record) -> Outcome:
        """Go on after a crash between a PATCH and the record of its ``Wait``."""
        intent = self.push.intent(obj)
        state = RolloutState(
            phase=Phase.ROLLING,
            started=self.now(),
            expected={item.name: item.image for item in intent.desired},
            previous=record.previous,
            previous_push=record.previous_push,
            changes=intent.since(record).changes(self.push.address),
        )
        return self._go_on(obj, self._way_back(state) if self.push.is_undone(record) else state)

    def _follow(self, obj: Json, state: RolloutState) -> Outcome:
        seen = progress(self.push.kind, obj, state.stale_deadline)
        if seen.complete:
            message = f"{seen.message} {self.push.image}."
            self._emit(obj, Reason.ROLLOUT_COMPLETE, message)
            return Done(state.changes, message)
        if seen.failed or self._is_late(state):
            return self._fail(obj, state, seen)
        return self._wait(state, seen.message)

    def _fail(self, obj: Json, state: RolloutState, seen: Progress) -> Outcome:
        how = "failed" if seen.failed else f"did not complete within {self.timeout:g} s"
        what = f"The rollout of {self.push.image} to {self.push.address}"
        reason = f"{what} {how}: {seen.message.rstrip('.')}."
        if self.rollback:
            state = self._roll_back(obj, self._way_back(state, reason))
        self._emit(obj, Reason.ROLLOUT_FAILED, reason)
        if self.rollback:
            return self._wait(state, "rolling back")
        code = "rollout_failed" if seen.failed else "rollout_timeout"
        raise DriverError(reason, code=code, changes=state.changes)

    def _roll_back(self, obj: Json, state: RolloutState) -> RolloutState:
        patch = self.push.undo_patch(obj, state)
        try:
            patched = self.cluster.patch(self.push.address, patch)
        except (Conflict, Retry):
            raise
        except DriverError as error:
            message = f"{state.reason} It could not be rolled back: {error.message}"
            raise DriverError(message, code="rollback_failed", changes=state.changes) from error
        return state.model_copy(update={"expected": self.push.images(patched, state.previous)})

    def _follow_back(self, obj: Json, state: RolloutState) -> Outcome:
        # The controller keeps the failed rollout's condition; only the pods count now.
        seen = progress(self.push.kind, obj, deadline_mark(obj))
        previous = ", ".join(sorted(set(state.expected.values())))
        if seen.complete:
            message = f"{state.reason} It was rolled back to {previous}."
            self._emit(obj, Reason.ROLLED_BACK, message)
            raise DriverError(message, code="rolled_back", changes=state.changes)
        if self._is_late(state):
            message = (
                f"{state.reason} The rollback to {previous} did not complete within "
                f"{self.timeout:g} s either ({seen.message}): look at the pods of "
                f"{self.push.address}."
            )
            raise DriverError(message, code="rollback_failed", changes=state.changes)
        return self._wait(state, f"rolling back: {seen.message}")

    def _way_back(self, state: RolloutState, reason: str = "") -> RolloutState:
        return state.model_copy(
            update={
                "phase": Phase.ROLLBACK,
                "started": self.now(),
                "expected": state.previous,
                "reason": reason
                or f"The rollout of {self.push.image} to {self.push.address} failed.",
            }
        )

    def _is_late(self, state: RolloutState) -> bool:
        return self.now() - state.started >= self.timeout

    def _wait(self, state: RolloutState, message: str) -> Wait:
        elapsed = max(self.now() - state.started, 0.0)
        after = min(FIRST_WAIT + elapsed / 10, LONGEST_WAIT)
        return Wait(after, state.as_json(), message, state.changes)

    def _emit(self, obj: Json, reason: Reason, message: str) -> None:
        emit(self.cluster, self.push.address, obj, self.push.context, reason, message)
