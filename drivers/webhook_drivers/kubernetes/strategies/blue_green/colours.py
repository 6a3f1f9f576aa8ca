"""The two colours of a blue-green switch as they are now, and the writes that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.rollout import Progress, progress
from webhook_drivers.kubernetes.images.workloads import with_metadata
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.counts import Count
from webhook_drivers.kubernetes.strategies.second.deployment import COLOR, DEPLOYMENT, GREEN, HASH
from webhook_drivers.kubernetes.strategies.second.routing import Switch
from webhook_drivers.kubernetes.strategies.strategy import Look, Task
from webhook_service import DriverError, Retry
from webhook_service.failpoints import failpoint

REPLICAS = "webhook-service.io/blue-green-replicas"
"""On people's Deployment: how many pods they want, see ``Count``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene(Look):
    """People's Deployment, our second one, and the Service, as they are now.

    While the second one serves, ``obj`` is people's Deployment with the pods of the second.

    Attributes:
        stray: a second one that was made for an earlier Deployment of the same name.
        service: None if somebody has deleted it, or pointed it elsewhere.
        elsewhere: the Service, if its selector does not fit people's Deployment any more: it is for
            other pods now, and is not narrowed to these.
    """

    main: Json
    second: Json | None
    stray: Json | None = None
    service: Json | None
    elsewhere: Json | None = None

    @property
    def narrowed(self) -> Mapping[str, str]:
        """What we added to the Service's selector."""
        return routing.narrowed(self.service) if self.service else {}

    @property
    def switch(self) -> Switch:
        return Switch.read(self.service) if self.service else Switch()

    @property
    def on_second(self) -> bool:
        """Whether the second Deployment serves."""
        return self.second is not None and self.narrowed.get(COLOR) == GREEN

    @property
    def serving(self) -> Json:
        return self.second if self.second is not None and self.on_second else self.main


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """One push between two colours. What writes gives None: the scene is to be looked at again.

    Args:
        service, preview: where the Services are.
    """

    task: Task
    scene: Scene
    service: Address
    preview: Address | None

    @property
    def home(self) -> Address:
        """Where people's Deployment is."""
        return self.task.push.address

    @property
    def other(self) -> Address:
        """Where the second one is."""
        return deployment.address(self.home, GREEN)

    @property
    def mark(self) -> str:
        """What names this push on the Service."""
        context = self.task.push.context
        return context.order_key or context.execution

    @property
    def is_marked(self) -> bool:
        """Whether the Service says that this push moves it: no late worker moves it any more."""
        return bool(self.scene.narrowed) and self.scene.switch.by == self.mark

    @property
    def may_still_move(self) -> bool:
        """Whether the pods that do not serve by the selector may still get traffic."""
        scene = self.scene
        return scene.service is not None and (not scene.narrowed or scene.switch.at is not None)

    @property
    def count(self) -> Count:
        """How many pods people want."""
        return Count.read(self.scene.main, REPLICAS)

    @property
    def live(self) -> Json:
        """The Service.

        Raises:
            DriverError: somebody has deleted it, or pointed it elsewhere.
        """
        if (other := self.scene.elsewhere) is not None:
            raise DriverError(routing.astray(other, self.service, self.home), code="unfit")
        if self.scene.service is None:
            raise DriverError(f"{self.service} was deleted meanwhile.", code="not_found")
        return self.scene.service

    def is_newest(self, narrowed: str) -> bool:
        """Whether the Service is narrowed to the newest template of people's Deployment."""
        noted = self.scene.switch.of
        if noted:
            return noted == routing.template_mark(self.scene.main)
        found = routing.template_hash(self.task.cluster, self.scene.main)
        return found in ("", narrowed)

    def labels(self, of_second: bool) -> Mapping[str, str]:
        """What tells the pods of one colour from those of the other."""
        if of_second:
            return {COLOR: GREEN}
        found = routing.template_hash(self.task.cluster, self.scene.main)
        if not found:
            raise Retry(f"{self.home} has no ReplicaSet of its newest template yet.")
        return {HASH: found}

    def fill(
        self, obj: Json, where: Address, replicas: int, stale: str | None = None
    ) -> Progress | None:
        """Give a Deployment so many pods, and say how far they are."""
        if deployment.wanted(obj) != replicas:
            return self.scale(obj, where, replicas)
        deployment.refuse_unplaced(obj, where)
        seen = progress(DEPLOYMENT.resource.kind, obj, stale)
        if seen.failed:
            raise DriverError(f"{where}: {seen.message}", code="rollout_failed")
        return seen

    def scale(self, obj: Json, where: Address, replicas: int) -> Progress | None:
        notes = self.noting(replicas) if where == self.home else {}
        return self.write(obj, where, {"spec": {"replicas": replicas}}, notes)

    def noting(self, replicas: int) -> Mapping[str, str | None]:
        """What goes with each PATCH that sets ``spec.replicas`` of people's Deployment."""
        return {REPLICAS: self.count.leaving(replicas)}

    def write(
        self, obj: Json, where: Address, patch: Json, notes: Mapping[str, str | None] | None = None
    ) -> Progress | None:
        """Change a Deployment, and annotations of it."""
        guarded = with_metadata(patch, obj["metadata"]["resourceVersion"], notes or {})
        failpoint("color.before")
        self.task.cluster.patch(where, guarded)
        failpoint("color.sent")
        return None

    def move(
        self, where: Address, service: Json, to: Mapping[str, str], switch: Switch | None = None
    ) -> Progress | None:
        """Let a Service send to these pods; to none: as it was written."""
        failpoint("service.before")
        self.task.cluster.patch(where, routing.moved(service, to, switch))
        failpoint("service.sent")
        return None
