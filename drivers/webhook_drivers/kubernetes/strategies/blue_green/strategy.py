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
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, deadline_mark, progress
from webhook_drivers.kubernetes.images.step_state import SETTLED, STRAIGHT, RolloutState
from webhook_drivers.kubernetes.strategies.blue_green.colours import REPLICAS, Colours, Scene
from webhook_drivers.kubernetes.strategies.blue_green.settle import LONGEST_LOOK, Settling
from webhook_drivers.kubernetes.strategies.blue_green.switch import Switchover
from webhook_drivers.kubernetes.strategies.checks import HttpCheck, ask
from webhook_drivers.kubernetes.strategies.second import (
    autoscalers,
    deployment,
    neighbours,
    room,
    routing,
    straight,
)
from webhook_drivers.kubernetes.strategies.second.base import (
    MAX_MOVES,
    SecondDeployment,
    TidyingFailed,
    named,
)
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT, GREEN
from webhook_drivers.kubernetes.strategies.second.leftovers import Leftovers
from webhook_drivers.kubernetes.strategies.strategy import Step, Task
from webhook_service import DriverError, Retry, Superseded
from webhook_service.failpoints import failpoint

TIDY_SECONDS = 1800.0
HOME = "home"
"""The stage of a way back that is a rollout of people's own Deployment."""
RIGHTS = (
    Right(DEPLOYMENT.resource, ("create", "delete")),
    Right(SERVICES, ("get", "patch")),
    *routing.LOOK,
    Right(PODS, ("list",)),
    Right(REPLICASETS, ("list",)),
    autoscalers.MOVE,
    Right(SERVICES, ("get",), "proxy", optional=True),
    neighbours.LIST_SERVICES,
    *room.RIGHTS,
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
        service = routing.find(task.cluster, self._address_of(task, self.service))
        found = routing.find(task.cluster, deployment.address(where, GREEN))
        main = task.cluster.get(where)
        second, stray = deployment.of(main, found)
        elsewhere = None
        if service is not None and not routing.sends_to(service, main):
            service, elsewhere = None, service
        scene = Scene(
            obj=main, main=main, second=second, stray=stray, service=service, elsewhere=elsewhere
        )
        if not scene.on_second:
            return scene
        return replace(scene, obj=deployment.as_serving(main, scene.serving))

    def begin(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene]:
        where = task.push.address
        deployment.refuse_foreign(
            look.second, deployment.address(where, GREEN), task.push.repository
        )
        self.refuse(task, look.main, beside=look.second is None)
        self._claim(task, look)
        return self.follow(task, self.look(task), state)

    @property
    def tidy_seconds(self) -> float:
        return self.keep_seconds + TIDY_SECONDS

    def undo(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene]:
        look = self.look(task)
        home = not look.on_second and task.push.has_reached(look.main, state)
        # At home already, the old pods are gone: then it is a rollout back.
        back = task.push.undo_patch if home else task.push.hold_patch
        state = state.at(HOME if home else "", task.now())
        # A Deployment that was made anew has no mark yet: another strategy must see what is left.
        task.undo(back(look.obj, state, notes=self.mark(task)))
        return self.retreat(task, self.look(task), state)

    def is_beside(self, task: Task, look: Scene) -> bool:
        marked = unfinished_mark.is_of(look.main, task.push.repository)
        service = look.service or look.elsewhere
        touched = service is not None and routing.is_touched(service)
        return bool(look.second or look.stray or touched or marked)

    def is_decided(self, task: Task, look: Scene, state: RolloutState) -> bool:
        """Whether the Service sends to the push already: from then on the rest is tidying up."""
        return deployment.runs(look.serving, state.expected, named(task, state))

    def tidy(self, task: Task, look: Scene) -> Progress | None:
        if not self.is_beside(task, look):
            return None
        for _ in range(MAX_MOVES):
            seen = self._settling(task, look).move()
            if seen is not None:
                return None if seen.complete else seen
            look = self.look(task)
        return Progress(Stage.SETTLED, "tidying up")

    def _leftovers(self, task: Task) -> Leftovers:
        return Leftovers(
            cluster=task.cluster,
            main=task.push.address,
            second=deployment.address(task.push.address, GREEN),
            services=tuple(self._address_of(task, name) for name in self.services),
            count=REPLICAS,
            notes=(REPLICAS, unfinished_mark.UNFINISHED),
        )

    def problems(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        found = super().problems(cluster, address, obj)
        return [*found, *self._unchecked(cluster, address, obj)] if self.check else found

    def warnings(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        found = super().warnings(cluster, address, obj)
        return found if self.check else [*found, *self._unchecked(cluster, address, obj)]

    def _unchecked(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        return [
            f"Service {name} selects the pods of {address} too, so it sends to the new ones before "
            "they are checked and switched to: let it select the label of another workload, or "
            "send its clients to the strategy's Service."
            for name in neighbours.early(cluster, self._narrowed, obj, address)
        ]

    @property
    def _narrowed(self) -> tuple[str, ...]:
        return self.services

    def _more(self, main: Json) -> int:
        return deployment.wanted(main)

    def _autoscaled(self, cluster: Cluster, address: Address) -> list[str]:
        return autoscalers.managed(cluster, address)

    def _forward(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        push = named(task, state)
        if state.stage == STRAIGHT and (step := straight.follow(look, look.main, state)):
            return step
        if deployment.runs(look.serving, state.expected, push):
            # Nothing is beside it: the push was begun by a strategy that replaces its own pods.
            own = None if self.is_beside(task, look) else _rollout(look, state)
            if own and not own.complete:
                return Step(look, state, own)
            return self._settle(task, look, state.at(SETTLED, task.now()))
        if state.stage == SETTLED:
            state = state.at("", task.now())  # what served was deleted: it begins anew
        colours = self._colours(task, look)
        task.push.refuse_replaced(look.obj, state, colours.other if look.on_second else None)
        over = Switchover(colours)
        if not task.push.is_ours(task.push.record(look.obj)):
            # People's Deployment was made anew meanwhile, without what was written on it.
            self._claim(task, look)
            return None
        if not look.narrowed and straight.is_due(look.main, state):
            return self._go_straight(task, look, state, push)
        if over.switch_again(state.expected, push):
            return None
        seen = over.prepare(state.expected, push, state.stale_deadline)
        if seen and seen.complete:
            seen = over.show()
        if seen is None or not seen.complete:
            return _waiting(look, state, seen)
        if self.check and not task.push.context.rolls_back:
            state = state.at("checking", task.now())
            where = self._address_of(task, self.preview or self.service)
            if asked := ask(task, state, self.check, where, look):
                return asked
        over.switch()
        return None

    def _go_straight(
        self, task: Task, look: Scene, state: RolloutState, push: str
    ) -> Step[Scene] | None:
        if look.second is None:
            notes = {**unfinished_mark.UNMARKED, REPLICAS: None}
            return straight.begin(task, look, state, push, notes)
        seen = self._settling(task, look).remove(look.second)
        return _waiting(look, state, seen)

    def _settle(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        try:
            seen = self._settling(task, look).move()
        except (Conflict, Retry, Superseded):
            raise
        except DriverError as error:
            # It serves: no reason to go back, and what is in the way may pass.
            seen = Progress(Stage.SETTLED, error.message, LONGEST_LOOK)
        if seen is None:
            return None
        if state.watch.elapsed > self.tidy_seconds and not seen.complete:
            raise TidyingFailed(task, seen.message, self.left(task), state)
        return Step(look, state, seen)

    def _claim(self, task: Task, look: Scene) -> None:
        notes = self.mark(task)
        count = self._colours(task, look).noting(deployment.wanted(look.main))
        failpoint("claim.before")
        task.patch(task.push.claim(look.obj, notes={**notes, **count}))
        failpoint("claim.sent")

    def _backward(self, task: Task, look: Scene, state: RolloutState) -> Step[Scene] | None:
        try:
            colours = self._colours(task, look)
            reached = task.push.has_reached(look.main, state)
            over = Switchover(colours)
            seen = over.give_back(state.previous, state.previous_push, reached=reached)
            if seen and seen.complete:
                seen = Settling(colours=colours).move()
        except Conflict:
            # Looked at again here: a step that begins anew would forget why it goes back.
            return None
        if seen and seen.complete and state.stage == HOME:
            seen = progress(DEPLOYMENT.resource.kind, look.main, deadline_mark(look.main))
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


def _rollout(look: Scene, state: RolloutState) -> Progress:
    """How far the rollout of people's own Deployment is."""
    return progress(DEPLOYMENT.resource.kind, look.main, state.stale_deadline)


def _waiting(look: Scene, state: RolloutState, seen: Progress | None) -> Step[Scene] | None:
    """A step that has a deadline: what tidies up after a push may hold the next one up."""
    if seen and seen.stage is Stage.SETTLED:
        seen = replace(seen, stage=Stage.GOING)
    return Step(look, state, seen) if seen else None
