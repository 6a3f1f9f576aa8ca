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
from webhook_drivers.kubernetes.api.resources import PODS, REPLICASETS, SERVICES, Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images import unfinished_mark as unfinished
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.strategies.blue_green.colours import GREEN, Colours, Scene
from webhook_drivers.kubernetes.strategies.blue_green.settle import Rest
from webhook_drivers.kubernetes.strategies.blue_green.switch import Switchover
from webhook_drivers.kubernetes.strategies.checks import HttpCheck, ask
from webhook_drivers.kubernetes.strategies.second import autoscalers, routing
from webhook_drivers.kubernetes.strategies.second import deployment as second
from webhook_drivers.kubernetes.strategies.second.base import (
    MAX_MOVES,
    Beside,
    TidyingFailed,
    named,
)
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_drivers.kubernetes.strategies.strategy import Step, Task
from webhook_service import DriverError, Retry, Superseded, TargetConflict
from webhook_service.failpoints import failpoint

SCENE = "webhook-service.io/scene"
"""Where ``look`` keeps what it read beside the workload."""
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


class BlueGreen(Beside):
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

    def look(self, task: Task) -> Json:
        where = task.push.address
        service = task.cluster.get(Address(SERVICES, where.namespace, self.service))
        other = routing.find(task.cluster, second.address(where, GREEN))
        scene = Scene(main=task.cluster.get(where), second=other, service=service)
        if scene.on_second:
            return {**second.as_serving(scene.main, scene.serving), SCENE: scene}
        return {**scene.main, SCENE: scene}

    def begin(self, task: Task, obj: Json, state: RolloutState) -> Step:
        where = task.push.address
        second.refuse_foreign(
            _scene(obj).second, second.address(where, GREEN), task.push.repository
        )
        if problems := self.problems(task.cluster, where, _scene(obj).main):
            raise DriverError(f"Nothing was changed: {problems[0]}", code="unfit")
        failpoint("claim.before")
        task.patch(task.push.claim(obj, notes=unfinished.mark(self.type, task.push.repository)))
        failpoint("claim.sent")
        return self.follow(task, self.look(task), state)

    def undo(self, task: Task, obj: Json, state: RolloutState) -> Step:
        task.undo(task.push.hold_patch(self.look(task), state))
        return self.retreat(task, self.look(task), state)

    def tidy(self, task: Task, obj: Json) -> Progress | None:
        scene = _scene(obj)
        marked = unfinished.is_of(scene.main, task.push.repository)
        if scene.second is None and not routing.is_touched(scene.service) and not marked:
            return None
        for _ in range(MAX_MOVES):
            seen = self._rest(task, obj).move()
            if seen is not None:
                return None if seen.complete else seen
            obj = self.look(task)
        return Progress(Stage.SETTLED, "tidying up")

    def _autoscaled(self, cluster: Cluster, address: Address) -> list[str]:
        return autoscalers.managed(cluster, address)

    def _forward(self, task: Task, obj: Json, state: RolloutState) -> Step | None:
        push = named(task, state)
        if second.runs(_scene(obj).serving, state.expected, push):
            return self._settle(task, obj, state.at("settled", task.now()))
        if task.push.images(obj, state.previous) != state.previous:
            raise TargetConflict(f"{task.push.address} was changed by somebody else meanwhile")
        over = Switchover(self._colours(task, obj))
        seen = over.prepare(state.expected, push, state.stale_deadline)
        if seen and seen.complete:
            seen = over.show()
        if seen is None or not seen.complete:
            return _waiting(obj, state, seen)
        if self.check:
            state = state.at("checking", task.now())
            where = self._address_of(task, self.preview or self.service)
            if asked := ask(task, state, self.check, where, obj):
                return asked
        over.switch()
        return None

    def _settle(self, task: Task, obj: Json, state: RolloutState) -> Step | None:
        try:
            seen = self._rest(task, obj).move()
        except (Conflict, Retry, Superseded):
            raise
        except DriverError as error:
            raise TidyingFailed(task, error.message, state) from error
        if seen is None:
            return None
        late = state.watch.elapsed > self.keep_seconds + TIDY_SECONDS
        if late and not seen.complete:
            raise TidyingFailed(task, seen.message, state)
        return Step(obj, state, seen)

    def _backward(self, task: Task, obj: Json, state: RolloutState) -> Step | None:
        try:
            seen = Rest(colours=self._colours(task, obj)).move()
        except Conflict:
            # Looked at again here: a step that begins anew would forget why it goes back.
            return None
        return _waiting(obj, state, seen)

    def _rest(self, task: Task, obj: Json) -> Rest:
        return Rest(
            colours=self._colours(task, obj),
            keep_seconds=self.keep_seconds,
            to_zero=self.keep == "zero",
        )

    def _colours(self, task: Task, obj: Json) -> Colours:
        return Colours(
            task=task,
            obj=obj,
            scene=_scene(obj),
            service=self._address_of(task, self.service),
            preview=self._preview_of(task),
        )


def _scene(obj: Json) -> Scene:
    scene: Scene = obj[SCENE]
    return scene


def _waiting(obj: Json, state: RolloutState, seen: Progress | None) -> Step | None:
    """A step that has a deadline: what tidies up after a push may hold the next one up."""
    if seen and seen.stage is Stage.SETTLED:
        seen = replace(seen, stage=Stage.GOING)
    return Step(obj, state, seen) if seen else None
