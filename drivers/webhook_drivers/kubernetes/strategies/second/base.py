"""What strategies with a second Deployment beside people's own share: a walk of small moves.

A move looks at live objects and does the next missing thing, or says how far the cluster is. So a
walk that was killed anywhere goes on where it was.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, Self

from pydantic import Field, model_validator

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import SERVICES, Address, Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.target_config import DnsLabel
from webhook_drivers.kubernetes.images.workloads import Workload
from webhook_drivers.kubernetes.strategies.second import neighbours, room, routing
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_drivers.kubernetes.strategies.second.leftovers import Leftovers
from webhook_drivers.kubernetes.strategies.strategy import LookT, Step, Strategy, Task
from webhook_service import DriverError, Retry, Superseded

MAX_MOVES = 12
"""In one step: what needs more goes on in the next one, at once."""


class TidyingFailed(DriverError):
    """The push serves, and what was before could not be removed: no reason to go back."""

    code = "tidying_failed"

    def __init__(self, task: Task, why: str, left: str, state: RolloutState) -> None:
        message = f"{task.push.image} serves, but the old pods were not tidied up: {why}"
        message = f"{message.rstrip('.')}. {left}".rstrip()
        super().__init__(message, changes=state.changes)


class SecondDeployment(Strategy[LookT], Generic[LookT]):
    """Bring a push up in a second Deployment, and let a Service send to it."""

    many: ClassVar[bool] = False
    reverts: ClassVar[bool] = True

    service: DnsLabel = Field(description="The Service that sends to the pods.")
    preview: DnsLabel | None = Field(
        default=None,
        description="A Service that sends to the new pods only: to look at them, and for `check`.",
    )

    @model_validator(mode="after")
    def _preview_is_another(self) -> Self:
        if self.preview == self.service:
            raise ValueError("`preview` must be another Service than `service`")
        return self

    def unfit(self, workload: Workload) -> str | None:
        if workload is DEPLOYMENT:
            return None
        kind = workload.resource.kind
        return f"a {kind} cannot have a second one beside it: use the strategy rolling"

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.service, self.preview)))

    def problems(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        return [
            *(
                said
                for name in self.services
                if (said := routing.unfit(cluster, name, obj, address))
            ),
            *(
                said
                for name in self._narrowed
                if (said := neighbours.shared(cluster, name, obj, address))
            ),
            *self._autoscaled(cluster, address),
        ]

    def warnings(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        return [
            *room.refused(cluster, obj, address, self._more(obj)),
            *room.warnings(cluster, obj, address),
        ]

    def refuse(self, task: Task, main: Json, *, beside: bool) -> None:
        """
        Args:
            beside: whether no second set of pods is there yet.

        Raises:
            DriverError: it could not be brought to an end; nothing was changed yet.
        """
        where = task.push.address
        if problems := self.problems(task.cluster, where, main):
            raise DriverError(f"Nothing was changed: {problems[0]}", code="unfit")
        more = self._more(main) if beside else 0
        if full := room.refused(task.cluster, main, where, more):
            raise DriverError(f"Nothing was changed: {full[0]}", code="no_room")

    @property
    @abstractmethod
    def _narrowed(self) -> tuple[str, ...]:
        """The Services that send to some of the pods for a time."""

    @abstractmethod
    def _more(self, main: Json) -> int:
        """How many pods it needs beside those of people's Deployment, at the least."""

    def mark(self, task: Task) -> Mapping[str, str | None]:
        """The annotation of people's Deployment that says what is beside it."""
        return unfinished_mark.mark(self.type, task.push.repository, *self.services)

    def follow(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        try:
            return self._walk(task, look, state, self._forward)
        except (Conflict, Retry, Superseded, TidyingFailed):
            raise
        except DriverError as error:
            return Step(look, state, Progress(Stage.FAILED, error.message))

    def retreat(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        try:
            return self._walk(task, look, state, self._backward)
        except (Conflict, Retry, Superseded):
            raise
        except DriverError as error:
            # There is no way back from the way back: what is in its way may pass until its end.
            return Step(look, state, Progress(Stage.GOING, error.message))

    def give_back(self, task: Task) -> str:
        return self._leftovers(task).give_back()

    def left(self, task: Task) -> str:
        return self._leftovers(task).said()

    @abstractmethod
    def _leftovers(self, task: Task) -> Leftovers:
        """What may be left in the cluster, if it cannot be brought to an end."""

    @abstractmethod
    def _autoscaled(self, cluster: Cluster, address: Address) -> list[str]:
        """A sentence for each autoscaler that would work against this."""

    @abstractmethod
    def _forward(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT] | None:
        """The next move towards the push; None when something was done."""

    @abstractmethod
    def _backward(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT] | None:
        """The next move on the way back; None when something was done."""

    def _walk(
        self,
        task: Task,
        look: LookT,
        state: RolloutState,
        move: Callable[[Task, LookT, RolloutState], Step[LookT] | None],
    ) -> Step[LookT]:
        """Do one move after the other, until one has to wait."""
        for _ in range(MAX_MOVES):
            step = move(task, look, state)
            if step is not None:
                return step
            look = self.look(task)
            task.push.refuse_older(task.push.record(look.obj), task.now())
        return Step(look, state, Progress(Stage.GOING, "under way", 0.0))

    def _preview_of(self, task: Task) -> Address | None:
        return self._address_of(task, self.preview) if self.preview else None

    def _address_of(self, task: Task, service: str) -> Address:
        return Address(SERVICES, task.push.address.namespace, service)


def named(task: Task, state: RolloutState) -> str:
    """What pods must name: the push, where its images have no digest that tells them apart.

    A rollback to what the pods run already names nothing: they stay.
    """
    pinned = any("@" in image for image in state.expected.values())
    stays = task.push.context.rolls_back and state.expected == state.previous
    return "" if pinned or stays else task.push.context.identity
