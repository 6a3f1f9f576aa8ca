"""The strategy ``blueGreen``: a second Deployment beside the running one, and one switch.

The two colours are people's own Deployment and a second one of ours. Which of them serves is read
from the live Service, never from memory:

    begin    narrow the Service to the pods that run now, and bring the push up beside them
    switch   move the Service to the new pods in one PATCH
    keep     leave the old pods as they are, so that a way back is one PATCH too
    rest     bring people's own Deployment to what serves, move the Service back to it as it was
             written, and remove the second

So at rest there is nothing of ours in the cluster, whichever colour won.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import PODS, REPLICASETS, SERVICES, Address
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.strategies.blue_green.colours import GREEN, Colours, Scene
from webhook_drivers.kubernetes.strategies.blue_green.settle import Settling
from webhook_drivers.kubernetes.strategies.blue_green.switch import Switchover
from webhook_drivers.kubernetes.strategies.checks import HttpCheck, ask
from webhook_drivers.kubernetes.strategies.second import autoscalers, deployment, routing
from webhook_drivers.kubernetes.strategies.second.base import (
    MAX_MOVES,
    SecondDeployment,
    TidyingFailed,
    named,
)
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_drivers.kubernetes.strategies.strategy import Step, Task
from webhook_service import DriverError, Retry, Superseded, TargetConflict
from webhook_service.failpoints import failpoint

TIDY_SECONDS = 1800.0
RIGHTS = (
    Right(DEPLOYMENT.resource, ("create", "delete")),
    Right(SERVICES, ("get", "patch")),
    Right(routing.ENDPOINTS, ("get",)),
    Right(PODS, ("list",)),
    Right(REPLICASETS, ("list",)),
    autoscalers.MOVE,
    Right(SERVICES, ("get",), "proxy", optional=True),
)


class BlueGreen(SecondDeployment[Scene]):
    """Bring the push up beside what runs, check it, and move the Service over in one step.

    https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service
    """

    rights: ClassVar[tuple[Right, ...]] = RIGHTS

    type: Literal["blueGreen"] = Field(
        default="blueGreen", description="A second Deployment, and one switch of the Service."
    )
    keep_seconds: int = Field(
        default=60,
        ge=0,
        le=86400,
        description="How long the old pods are kept after the switch, for the way back.",
    )
    keep: Literal["scaled", "zero"] = Field(
        default="scaled",
        description="Keep them running, or only their Deployment: then the way back starts pods.",
    )
    check: HttpCheck | None = Field(
        default=None, description="What the new pods must answer before the switch."
    )

    @model_validator(mode="after")
    def _check_has_a_way(self) -> Self:
        if self.check and not self.check.url and not self.preview:
            raise ValueError("a check needs a `preview` Service to go through, or a `url`")
        return self

    def look(self, task: Task) -> Scene:
        where = task.push.address
        service = task.cluster.get(Address(SERVICES, where.namespace, self.service))
        other = routing.find(task.cluster, deployment.address(where, GREEN))
        main = task.cluster.get(where)
        scene = Scene(obj=main, main=main, second=other, service=service)
        if not scene.on_second:
            return scene
        return replace(scene, obj=deployment.as_serving(main, scene.serving))

    def begin(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene]:
        where = task.push.address
        deployment.refuse_foreign(
            look.second, deployment.address(where, GREEN), task.push.repository
        )
        if problems := self.problems(task.cluster, where, look.main):
            raise DriverError(f"Nothing was changed: {problems[0]}", code="unfit")
        failpoint("claim.before")
        task.patch(
            task.push.claim(look.obj, notes=unfinished_mark.mark(self.type, task.push.repository))
        )
        failpoint("claim.sent")
        return self.follow(task, self.look(task), state)

    def undo(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene]:
        task.undo(task.push.hold_patch(self.look(task).obj, state))
        return self.retreat(task, self.look(task), state)

    def tidy(self, task: Task, look: Scene) -> Progress | None:
        marked = unfinished_mark.is_of(look.main, task.push.repository)
        if look.second is None and not routing.is_touched(look.service) and not marked:
            return None
        for _ in range(MAX_MOVES):
            seen = self._settling(task, look).move()
            if seen is not None:
                return None if seen.complete else seen
            look = self.look(task)
        return Progress(Stage.SETTLED, "tidying up")

    def _autoscaled(self, cluster: Cluster, address: Address) -> list[str]:
        return autoscalers.managed(cluster, address)

    def _forward(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        push = named(task, state)
        if deployment.runs(look.serving, state.expected, push):
            return self._settle(task, look, state.at("settled", task.now()))
        if task.push.images(look.obj, state.previous) != state.previous:
            raise TargetConflict(f"{task.push.address} was changed by somebody else meanwhile")
        over = Switchover(self._colours(task, look))
        seen = over.prepare(state.expected, push, state.stale_deadline)
        if seen and seen.complete:
            seen = over.show()
        if seen is None or not seen.complete:
            return _waiting(look, state, seen)
        if self.check:
            state = state.at("checking", task.now())
            where = self._address_of(task, self.preview or self.service)
            if asked := ask(task, state, self.check, where, look):
                return asked
        over.switch()
        return None

    def _settle(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        try:
            seen = self._settling(task, look).move()
        except (Conflict, Retry, Superseded):
            raise
        except DriverError as error:
            raise TidyingFailed(task, error.message, state) from error
        if seen is None:
            return None
        late = state.watch.elapsed > self.keep_seconds + TIDY_SECONDS
        if late and not seen.complete:
            raise TidyingFailed(task, seen.message, state)
        return Step(look, state, seen)

    def _backward(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        try:
            seen = Settling(colours=self._colours(task, look)).move()
        except Conflict:
            # Looked at again here: a step that begins anew would forget why it goes back.
            return None
        return _waiting(look, state, seen)

    def _settling(self, task: Task, look: Scene) -> Settling:
        return Settling(
            colours=self._colours(task, look),
            keep_seconds=self.keep_seconds,
            to_zero=self.keep == "zero",
        )

    def _colours(self, task: Task, look: Scene) -> Colours:
        return Colours(
            task=task,
            scene=look,
            service=self._address_of(task, self.service),
            preview=self._preview_of(task),
        )


def _waiting(look: Scene, state: RolloutState, seen: Progress | None) -> Step[Scene] | None:
    """A step that has a deadline: what tidies up after a push may hold the next one up."""
    if seen and seen.stage is Stage.SETTLED:
        seen = replace(seen, stage=Stage.GOING)
    return Step(look, state, seen) if seen else None
