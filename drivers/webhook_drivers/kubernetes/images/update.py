"""Brings one push to one workload: the steps from the first look to the finished rollout.

Each step reads the live object and decides from it, from the record of pushes on it and from the
state of the last step. Killed anywhere and called again, it goes on where it was: a PATCH carries
the record of its push, and every PATCH needs the resourceVersion that was read. What is written,
and how far it is, is the strategy's to say; the order of pushes and the ends are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any, Self

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.events.event import EventReason
from webhook_drivers.kubernetes.images import kubectl_undo, pods, unfinished_mark
from webhook_drivers.kubernetes.images.containers import select, tag_of
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.push_plan import Intent
from webhook_drivers.kubernetes.images.push_record import Record
from webhook_drivers.kubernetes.images.rollout import Stage, deadline_mark, too_slow
from webhook_drivers.kubernetes.images.step_state import (
    SETTLED,
    STRAIGHT,
    UNBEGUN,
    Phase,
    RolloutState,
)
from webhook_drivers.kubernetes.images.stopwatch import FIRST_WAIT, LONGEST_WAIT, LOOK_AT_PODS
from webhook_drivers.kubernetes.images.workloads import containers, from_cache
from webhook_drivers.kubernetes.live.observe import observe
from webhook_drivers.kubernetes.strategies import takeover
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.kubernetes.strategies.strategy import Look, Network, Step, Strategy, Task
from webhook_drivers.kubernetes.strategies.takeover import Takeover
from webhook_service import (
    Done,
    DriverError,
    Observed,
    Outcome,
    Retry,
    Unchanged,
    Wait,
)


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
        return self.decide(self._decide, seen)

    def decide(
        self, step: Callable[[Look], Outcome], seen: Json | None = None, why: str = ""
    ) -> Outcome:
        """Look and do a step, anew where others changed the object meanwhile.

        Args:
            why: what to say first where nothing can be seen: why the push goes back, if it does.

        Raises:
            Retry: they do so again and again.
        """
        looks = chain([seen], repeat(None))

        def look_and_do() -> Outcome:
            try:
                look = self.look(next(looks))
            except Retry:
                raise
            except DriverError as error:
                return self._unseen(error, why)
            return step(look)

        return optimistically(self.push.address, look_and_do)

    def running_tags(self, seen: Json | None = None) -> tuple[str, ...]:
        """The tags that the containers which this push would change run now."""
        push, obj = self.push, self._serving(seen)
        found = select(
            str(push.address),
            containers(push.workload, obj),
            push.sought(obj),
            push.wanted,
        )
        return tuple(tag for item in found if (tag := tag_of(item.image)))

    def observe(self, seen: Json | None = None) -> tuple[Observed, ...]:
        """What the containers that this push would change run now."""
        return observe(self.push, self._serving(seen))

    def _serving(self, seen: Json | None) -> Json:
        """The workload with the images that serve now, also where another strategy moved them."""
        look = self.look(seen)
        earlier = self._earlier(look)
        return earlier.look(self.task).obj if earlier else look.obj

    def hopeless(self, look: Look) -> list[str]:
        """A sentence if the rollout could not end in time."""
        return too_slow(self.push.address, self.strategy.min_ready(look.obj), self.timeout)

    def look(self, seen: Json | None = None) -> Look:
        """The live objects.

        Args:
            seen: the workload, if it was read just now.
        """
        look: Look = Look(seen) if seen else self.strategy.look(self.task)
        return look

    def _decide(self, look: Look) -> Outcome:
        record = self.push.record(look.obj)
        self.push.refuse_older(record, self.now())
        state = self.state_at(look, record)
        if state is None:
            return self._start(look, record)
        begun = self.as_begun(look)
        if begun is self and not takeover.is_under_way(self.push):
            return self.go_on(look, state)
        if state.phase is Phase.ROLLING and state.stage != SETTLED:
            # The receiver has got another strategy while this push was on its way there.
            return self._begin(look, self.push.intent(look.obj))
        return begun.go_on(begun.look(), state)

    def as_begun(self, look: Look) -> Self:
        """The same with the strategy that is under way, if the receiver has got another since."""
        earlier = self._earlier(look)
        return replace(self, strategy=earlier) if earlier else self

    def _earlier(self, look: Look) -> Strategy[Any] | None:
        return takeover.earlier(self.task, look.obj, self.strategy)

    def state_at(self, look: Look, record: Record) -> RolloutState | None:
        """Where this push stands, by what it remembers and else by what it wrote; None before."""
        state = RolloutState.read(self.push.context.state)
        if state is not None:
            state = state.looked_at(self.now())
        elif self.push.is_ours(record):
            # Killed between a PATCH and the record of its ``Wait``.
            state = self._opening(self.push.intent(look.obj).since(record), None)
        if state and state.phase is Phase.ROLLING and self.push.is_undone(record):
            state = self.way_back(state)
        return state

    def go_on(self, look: Look, state: RolloutState) -> Outcome:
        """Do the next step of a push that has begun."""
        if state.phase is Phase.ROLLBACK and state.stage == UNBEGUN:
            return self._go_back(look, state.having(stage=""))
        if state.phase is Phase.ROLLBACK:
            return self._judge_back(self.strategy.retreat(self.task, look, state))
        return self.judge(self.strategy.follow(self.task, look, state))

    def _start(self, look: Look, record: Record) -> Outcome:
        push, obj = self.push, look.obj
        # Once it tidies up after another strategy, what that had marked is gone.
        held = None if takeover.is_under_way(push) else push.held_back(obj, record)
        if held:
            return self.unchanged(look, held)
        push.refuse_paused(obj)
        intent = push.intent(obj)
        if intent.needed or self._earlier(look):
            return self._begin(look, intent)
        return self._not_needed(look)

    def _not_needed(self, look: Look) -> Outcome:
        """The image runs already; a rollback to it still holds the push that it undoes."""
        push = self.push
        if push.context.rolls_back:
            self.task.patch(push.claim(look.obj))
        return self.unchanged(look, f"{push.address} already runs {push.image}.")

    def unchanged(self, look: Look, reason: str) -> Outcome:
        """Nothing to do for this push; an earlier one may have left something to tidy up."""
        left = self.strategy.tidy(self.task, look)
        if left is None:
            return Unchanged(reason)
        after = FIRST_WAIT if left.after is None else left.after
        return Wait(after, {}, left.message, settled=True)

    def _begin(self, look: Look, intent: Intent) -> Outcome:
        push = self.push
        if earlier := self._earlier(look):
            return self._take_over(earlier)
        unfinished_mark.refuse(look.obj, push.address, self.strategy.type, push.repository)
        if newer := kubectl_undo.taken_back(self.cluster, push, look.obj, self.now()):
            push.refuse_older(newer, self.now())
            obj = push.remembering(look.obj, newer)
            look = replace(look, obj=obj)
            if held := push.held_back(obj, push.record(obj)):
                return self.unchanged(look, held)
        if hopeless := self.hopeless(look):
            raise DriverError(f"Nothing was changed: {hopeless[0]}", code="unfit")
        images, rolled_by = self.push.last_good(look.obj, intent)
        state = self._opening(intent, deadline_mark(look.obj))
        state = state.having(previous=images, previous_push=rolled_by)
        step = self.strategy.begin(self.task, look, state)
        self.task.emit(step.look.obj, EventReason.IMAGE_UPDATED, f"{self.push.cause}.")
        return self.judge(step)

    def _take_over(self, earlier: Strategy[Any]) -> Outcome:
        """Tidy up after another strategy, and begin when nothing of it is left."""
        if left := Takeover(self.task, earlier, self.timeout).step():
            return left
        look, push = self.look(), self.push
        if self._earlier(look):
            raise Retry(f"Something else is still left beside {push.address}.")
        intent = push.intent(look.obj)
        if intent.needed:
            return self._begin(look, intent)
        if push.is_ours(record := push.record(look.obj)):
            runs = f"{push.address} already runs {push.image}."
            return Done(intent.since(record).changes(push.address), runs)
        return self._not_needed(look)

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

    def judge(self, step: Step[Any]) -> Outcome:
        """What comes of a step on the way there."""
        state, seen = step.state, step.progress
        if renaming := self.push.renaming(step.look.obj):
            self.task.patch(renaming)
        if seen.complete:
            runs = self.push.images(step.look.obj, state.expected).values()
            cached = from_cache(self.push.workload, step.look.obj, state.previous, state.expected)
            message = f"{seen.message} {self.push.shown(runs)}. {cached}".rstrip()
            self.task.emit(step.look.obj, EventReason.ROLLOUT_COMPLETE, message)
            return Done(state.changes, message)
        if seen.failed or self.is_late(step):
            return self._fail(step)
        return self.wait(step, f"{seen.message}{self._why(step)}")

    def _why(self, step: Step[Any]) -> str:
        """What its pods say, in brackets, once it takes longer than a start does."""
        if not step.progress.going or step.state.watch.elapsed < LOOK_AT_PODS:
            return ""
        why = pods.trouble(self.cluster, step.look.obj)
        return f" ({why})" if why else ""

    def _fail(self, step: Step[Any]) -> Outcome:
        seen, state = step.progress, step.state
        how = "failed" if seen.failed else f"did not complete within {self.timeout:g} s"
        what = f"The rollout of {self.push.image} to {self.push.address}"
        why = pods.trouble(self.cluster, step.look.obj)
        reason = f"{what} {how}: {seen.message.rstrip('.')}{f' ({why})' if why else ''}."
        if self.rollback or (self.strategy.reverts and state.stage != STRAIGHT):
            return self._go_back(step.look, self.way_back(state, reason), reason)
        self.task.emit(step.look.obj, EventReason.ROLLOUT_FAILED, reason)
        code = "rollout_failed" if seen.failed else "rollout_timeout"
        raise DriverError(f"{reason} {self._advice()}", code=code, changes=state.changes)

    def _advice(self) -> str:
        address = self.push.address
        where = f"-n {address.namespace} describe {address.resource.plural} {address.name}"
        return f"Look at it and its pods (kubectl {where}), then push again or roll back."

    def _go_back(self, look: Look, state: RolloutState, news: str = "") -> Outcome:
        """Begin the way back, and tell the news, if there is any, once it is begun."""
        try:
            back = self.strategy.undo(self.task, look, state)
        except (Conflict, Retry):
            raise
        except DriverError as error:
            return self._hold_out(state, error)
        if news:
            self.task.emit(look.obj, EventReason.ROLLOUT_FAILED, news)
        return self._judge_back(back)

    def _unseen(self, error: DriverError, why: str = "") -> Outcome:
        """What cannot be looked at cannot be brought to an end: what was begun goes back."""
        state = RolloutState.read(self.push.context.state)
        if state is None or error.reason == "not_found" or not self.strategy.reverts:
            left = self.strategy.give_back(self.task)
            changes = state.changes if state else error.changes
            why = (state.reason if state else "") or why
            before = f"Before this push it ran {_listed(state.previous)}." if state else ""
            message = " ".join(filter(None, (why, error.message, before, left)))
            raise DriverError(message, code=error.reason, changes=changes) from error
        state = state.looked_at(self.now())
        if state.stage == SETTLED and state.watch.elapsed <= self.strategy.tidy_seconds:
            return Wait(LONGEST_WAIT, state.as_json(), error.message, state.changes, settled=True)
        if state.phase is Phase.ROLLING:
            what = f"The rollout of {self.push.image} to {self.push.address} failed"
            state = self.way_back(state, f"{why or f'{what}:'} {error.message}")
        return self._hold_out(state, error)

    def _hold_out(self, state: RolloutState, error: DriverError) -> Outcome:
        """Try the way back again until its time is over: what is in its way may pass."""
        if self.strategy.reverts and state.watch.elapsed < self.timeout:
            waiting = state.having(stage=UNBEGUN)
            message = f"rolling back: {error.message}"
            return Wait(state.watch.pause, waiting.as_json(), message, state.changes)
        message = f"{state.reason} It could not be rolled back: {error.message} {self._left}"
        raise DriverError(
            message.rstrip(), code="rollback_failed", changes=state.changes
        ) from error

    @property
    def _left(self) -> str:
        return self.strategy.left(self.task)

    def _judge_back(self, step: Step[Any]) -> Outcome:
        state, seen = step.state, step.progress
        previous = _listed(state.previous)
        if seen.complete:
            runs = self.push.images(step.look.obj, state.previous)
            how, then = f"It was rolled back to {previous}", "push a newer image"
            if runs and runs != state.previous:
                images = _listed(runs)
                if _versions(runs) == _versions(state.previous):
                    how += f", which runs as {images}"  # admission gives it another name
                else:
                    how = f"It was taken back, and {images} runs, which somebody else has set"
                    then = self.push.again(step.look.obj, "a newer image")
            message = f"{state.reason} {how}: {then}."
            self.task.emit(step.look.obj, EventReason.ROLLED_BACK, message)
            raise DriverError(message, code="rolled_back", changes=state.changes)
        if seen.failed or self.is_late(step):
            message = (
                f"{state.reason} The rollback to {previous} did not complete within "
                f"{self.timeout:g} s either ({seen.message}): look at the pods of "
                f"{self.push.address}. {self._left}"
            ).rstrip()
            raise DriverError(message, code="rollback_failed", changes=state.changes)
        return self.wait(step, f"rolling back: {seen.message}{self._why(step)}")

    def way_back(self, state: RolloutState, reason: str = "") -> RolloutState:
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

    def is_late(self, step: Step[Any]) -> bool:
        """Whether a step has waited for longer than it may."""
        if step.progress.stage in (Stage.PAUSED, Stage.SETTLED):
            return False
        return step.state.watch.elapsed >= self.timeout

    def wait(self, step: Step, message: str) -> Wait:
        """What a step that is not complete is to remember."""
        state = step.state
        after = step.progress.after
        return Wait(
            state.watch.pause if after is None else after,
            state.as_json(),
            message,
            state.changes,
            settled=step.progress.stage is Stage.SETTLED,
        )


def _listed(images: Mapping[str, str]) -> str:
    """The images of containers, each once."""
    return ", ".join(sorted(set(images.values())))


def _versions(images: Mapping[str, str]) -> dict[str, str]:
    """The tag and digest of each image, by container."""
    return {name: image.rpartition("/")[2].partition(":")[2] for name, image in images.items()}
