"""The two colours of a blue-green switch as they are now, and the writes that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.rollout import Progress, progress
from webhook_drivers.kubernetes.images.workloads import with_metadata
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.deployment import COLOR, DEPLOYMENT, HASH
from webhook_drivers.kubernetes.strategies.second.routing import Switch
from webhook_drivers.kubernetes.strategies.strategy import Look, Task
from webhook_service import DriverError, Retry
from webhook_service.failpoints import failpoint

GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene(Look):
    """People's Deployment, our second one, and the Service, as they are now.

    While the second one serves, ``obj`` is people's Deployment with the pods of the second.
    """

    main: Json
    second: Json | None
    service: Json

    @property
    def on_second(self) -> bool:
        """Whether the second Deployment serves."""
        return self.second is not None and routing.selector(self.service).get(COLOR) == GREEN

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
        narrowed = bool(routing.narrowed(self.scene.service))
        return narrowed and Switch.read(self.scene.service).by == self.mark

    @property
    def may_still_move(self) -> bool:
        """Whether the pods that do not serve by the selector may still get traffic."""
        narrowed = bool(routing.narrowed(self.scene.service))
        return not narrowed or Switch.read(self.scene.service).at is not None

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
        return self.write(obj, where, {"spec": {"replicas": replicas}})

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
