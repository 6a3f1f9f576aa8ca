"""The strategy ``canary``: a growing share of the pods runs the push, until all do.

A second Deployment behind the same Service takes pods over from people's own, step by step. Where
a push stands is noted on the second one, and how many pods people want on theirs, so that any crash
is survived. At the end people's own Deployment gets the image, and the second goes away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import PODS, SERVICES, Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.push_record import PUSH
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, deadline_mark
from webhook_drivers.kubernetes.images.step_state import STRAIGHT, RolloutState
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_drivers.kubernetes.strategies.canary.replicas import (
    REPLICAS,
    STEP,
    UNNOTED,
    Shares,
    address,
    noted,
    share_of,
)
from webhook_drivers.kubernetes.strategies.checks import HttpCheck, Prometheus, ask
from webhook_drivers.kubernetes.strategies.second import (
    autoscalers,
    deployment,
    room,
    routing,
    straight,
)
from webhook_drivers.kubernetes.strategies.second.base import MAX_MOVES, SecondDeployment, named
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_drivers.kubernetes.strategies.second.leftovers import Leftovers
from webhook_drivers.kubernetes.strategies.strategy import Look, Step, Task
from webhook_service import DriverConfig, DriverError
from webhook_service.failpoints import failpoint

LONGEST_PAUSE = 30.0


class Weight(DriverConfig):
    """One step."""

    weight: int = Field(
        ge=1, le=100, description="The share of the pods, in per cent, rounded up to whole pods."
    )
    pause_seconds: int = Field(
        default=0, ge=0, le=86400, description="How long to stay before the next step."
    )


Steps = Annotated[tuple[Weight, ...], Field(min_length=1, max_length=50)]


@dataclass(frozen=True, slots=True)
class Both(Look):
    """People's Deployment, and the canary beside it; None where there is none.

    Attributes:
        stray: a canary that was made for an earlier Deployment of the same name.
    """

    canary: Json | None
    stray: Json | None = None


class Canary(SecondDeployment[Both]):
    """Give the push a growing share of the pods, and look at it between the steps."""

    rights: ClassVar[tuple[Right, ...]] = (
        Right(DEPLOYMENT.resource, ("create", "delete")),
        Right(SERVICES, ("get", "patch")),
        *routing.LOOK,
        Right(PODS, ("list",)),
        autoscalers.LOOK,
        Right(SERVICES, ("get",), "proxy", optional=True),
        *room.RIGHTS,
    )

    type: Literal["canary"] = Field(
        default="canary", description="A growing share of the pods by a second Deployment."
    )
    steps: Steps = Field(description="The shares, and the pauses after each.")
    check: HttpCheck | None = Field(
        default=None,
        description="What must be answered after each pause: by the preview, else the Service.",
    )
    prometheus: Prometheus | None = Field(
        default=None, description="A number that must be good after each pause."
    )

    @model_validator(mode="after")
    def _steps_grow(self) -> Self:
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError("each step must have a higher weight than the one before")
        return self

    def look(self, task: Task) -> Both:
        found = routing.find(task.cluster, address(task))
        main = task.cluster.get(task.push.address)
        return Both(main, *deployment.of(main, found))

    def begin(self, task: Task, look: Both, state: RolloutState) -> Step[Both]:
        deployment.refuse_foreign(look.canary, address(task), task.push.repository)
        self.refuse(task, look.obj, beside=look.canary is None)
        self._claim(task, look)
        return self.follow(task, self.look(task), state)

    def undo(self, task: Task, look: Both, state: RolloutState) -> Step[Both]:
        self._take_back(task, self.look(task), state)
        return self.retreat(task, self.look(task), state)

    def is_beside(self, task: Task, look: Both) -> bool:
        return bool(look.canary or look.stray or self._shares(task, look).is_noted)

    def is_decided(self, task: Task, look: Both, state: RolloutState) -> bool:
        """Whether people's own Deployment gets the push already, after all steps."""
        return annotation(look.obj, STEP) is not None

    def tidy(self, task: Task, look: Both) -> Progress | None:
        if not self.is_beside(task, look):
            return None
        return self._tidied(task, look, lambda shares: shares.rest(None))

    def clear(self, task: Task, look: Both, seconds: float) -> Progress | None:
        def back(shares: Shares) -> Progress | None:
            # What people's own Deployment runs may be broken, and the next push its fix.
            return None if shares.shrink(seconds) else shares.rest(deadline_mark(shares.main))

        return self._tidied(task, look, back)

    def _tidied(
        self, task: Task, look: Both, move: Callable[[Shares], Progress | None]
    ) -> Progress | None:
        for _ in range(MAX_MOVES):
            seen = move(self._shares(task, look))
            if seen is not None:
                return None if seen.complete else seen
            look = self.look(task)
        return Progress(Stage.GOING, "tidying up")

    @property
    def _narrowed(self) -> tuple[str, ...]:
        return (self.preview,) if self.preview else ()

    def _more(self, main: Json) -> int:
        return share_of(deployment.wanted(main), self.steps[0].weight)

    def _autoscaled(self, cluster: Cluster, address: Address) -> list[str]:
        return autoscalers.fighting(cluster, address)

    def _forward(self, task: Task, look: Both, state: RolloutState) -> Step[Both] | None:
        push, other, shares = named(task, state), look.canary, self._shares(task, look)
        if state.stage == STRAIGHT and (step := straight.follow(look, look.obj, state)):
            return step
        if deployment.runs(look.obj, state.expected, push):
            state = state.at("promoting", task.now())
            return _step(look, state, shares.rest(state.stale_deadline))
        task.push.refuse_replaced(look.obj, state)
        deployment.refuse_foreign(other, shares.other, task.push.repository)
        if not task.push.is_ours(task.push.record(look.obj)):
            # People's Deployment was made anew meanwhile, without what was written on it.
            self._claim(task, look)
            return None
        if look.stray is not None:
            return _step(look, state, shares.rest(state.stale_deadline))
        if other is None and straight.is_due(look.obj, state):
            return straight.begin(task, look, state, push, UNNOTED)
        if other is None:
            return _step(look, state, shares.create(state.expected, push, state.stale_deadline))
        if not deployment.runs(other, state.expected, push):
            return _step(look, state, shares.rest(state.stale_deadline))
        number, at = noted(other)
        if number >= len(self._steps_of(task)):
            return self._promote(task, look, other, state, push)
        stage = f"step {number + 1}"
        if state.stage != stage:
            state = state.at(stage, task.now(), notes={})
        seen = shares.give(other, self._steps_of(task)[number].weight)
        if seen is None or not seen.complete:
            return _step(look, state, seen)
        if at is None:
            shares.note(other, number, task.now())
            return None
        return self._stay(task, look, other, state, number, at)

    def _backward(self, task: Task, look: Both, state: RolloutState) -> Step[Both] | None:
        if annotation(look.obj, STEP) is not None:
            return self._take_back(task, look, state)
        try:
            shares = self._shares(task, look)
            if shares.shrink(state.watch.elapsed):
                return None
            seen = shares.rest(deadline_mark(look.obj))
        except Conflict:
            # Looked at again here: a step that begins anew would forget why it goes back.
            return None
        return _step(look, state, seen)

    def _stay(
        self, task: Task, look: Both, canary: Json, state: RolloutState, number: int, at: float
    ) -> Step[Both] | None:
        """Pause, look whether all is well, and go on to the next step."""
        step, shares = self._steps_of(task)[number], self._shares(task, look)
        if (left := at + step.pause_seconds - task.now()) > 0:
            message = f"{step.weight} % run {task.push.image}; the next step is in {left:.0f} s"
            return Step(look, state, Progress(Stage.PAUSED, message, min(left, LONGEST_PAUSE)))
        if self.check and not task.push.context.rolls_back:
            if asked := ask(task, state, self.check, shares.preview or shares.service, look):
                return asked
        if self.prometheus and not task.push.context.rolls_back:
            if problem := self.prometheus.problem(task):
                raise DriverError(f"At {step.weight} %: {problem}", code="check_failed")
        shares.note(canary, number + 1, None)
        return None

    def _steps_of(self, task: Task) -> Steps:
        """The steps of a push. A rollback takes one, without a pause: people want it now."""
        if task.push.context.rolls_back:
            return (Weight(weight=self.steps[-1].weight),)
        return self.steps

    def _promote(
        self, task: Task, look: Both, canary: Json, state: RolloutState, push: str
    ) -> Step[Both] | None:
        """Let people's own Deployment run the push; the canary makes up for pods it misses."""
        seen = self._shares(task, look).cover(canary)
        if seen is None:
            return None
        if not seen.complete:
            return Step(look, state.at("promoting", task.now()), seen)
        named = {PUSH: push} if push else {}
        template = deployment.template_patch(look.obj, state.expected, named)
        pods = self._shares(task, look).count
        spec = {"template": template, "replicas": pods.wanted}
        notes = {STEP: "promoted", REPLICAS: pods.leaving(pods.wanted)}
        task.apply(task.push.claim(look.obj, spec, notes))
        return None

    def _claim(self, task: Task, look: Both) -> None:
        count = self._shares(task, look).count.leaving(deployment.wanted(look.obj))
        marked = self.mark(task)
        failpoint("claim.before")
        task.patch(task.push.claim(look.obj, notes={REPLICAS: count, **marked}))
        failpoint("claim.sent")

    def _leftovers(self, task: Task) -> Leftovers:
        return Leftovers(
            cluster=task.cluster,
            main=task.push.address,
            second=address(task),
            services=(preview,) if (preview := self._preview_of(task)) else (),
            count=REPLICAS,
            notes=(REPLICAS, STEP, unfinished_mark.UNFINISHED),
        )

    def _take_back(self, task: Task, look: Both, state: RolloutState) -> Step[Both] | None:
        pods = self._shares(task, look).count
        changed = task.push.has_reached(look.obj, state)
        spec, promoted = {"replicas": pods.wanted}, changed or annotation(look.obj, STEP)
        # A Deployment that was made anew has no mark yet: another strategy must see what is left.
        notes = {STEP: None, REPLICAS: pods.leaving(pods.wanted), **self.mark(task)}
        back = task.push.undo_patch if promoted else task.push.hold_patch
        task.undo(back(look.obj, state, spec, notes))
        return None

    def _shares(self, task: Task, look: Both) -> Shares:
        return Shares(
            task=task,
            main=look.obj,
            canary=look.canary or look.stray,
            service=self._address_of(task, self.service),
            preview=self._preview_of(task),
        )


def _step(look: Both, state: RolloutState, seen: Progress | None) -> Step[Both] | None:
    return Step(look, state, seen) if seen else None
