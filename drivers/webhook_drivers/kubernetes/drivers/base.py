"""What the drivers of clusters share: connections, and checks at a receiver's creation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import Any, ClassVar

from typing_extensions import TypeVar

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.target_config import ClusterConfig
from webhook_service import (
    Context,
    DriverError,
    InvalidConfig,
    Plan,
    PushEvent,
    Request,
    WebhookDriver,
)

ConfigT = TypeVar("ConfigT", bound=ClusterConfig)
EventT = TypeVar("EventT", PushEvent, Request, default=PushEvent)


class ClusterDriver(WebhookDriver[ConfigT, EventT]):
    """A driver of clusters.

    Args:
        options: see ``Clusters``.
        clusters: connections to use instead, for tests.
        now: the clock, in seconds since the epoch.
    """

    rights: ClassVar[tuple[Right, ...]] = ()

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        *,
        clusters: Clusters | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        super().__init__(options)
        self._clusters = clusters or Clusters(self.options)
        self._now = now

    def validate(self, config: ConfigT, context: Context) -> None:
        try:
            problems = list(self.problems(config, context))
        except DriverError as error:
            raise InvalidConfig(error.message) from error
        if problems:
            raise InvalidConfig(" ".join(problems))

    def plan(self, config: ConfigT, event: EventT, context: Context) -> Plan:
        try:
            return self.preview(config, event, context)
        except DriverError as error:
            return Plan(notes=(error.message,))

    @abstractmethod
    def problems(self, config: ConfigT, context: Context) -> Iterable[str]:
        """Sentences about what the live system lacks; a ``DriverError`` counts as one."""

    @abstractmethod
    def preview(self, config: ConfigT, event: EventT, context: Context) -> Plan:
        """What ``execute`` would do now; a ``DriverError`` says why nothing."""

    def close(self) -> None:
        self._clusters.close()

    def cluster(self, config: ConfigT, context: Context) -> Cluster:
        """The cluster that a config names, in the name of the receiver's project."""
        return self._clusters.get(config.cluster, context.project, shared=context.shared)

    def target(self, config: ConfigT, namespace: str, kind: str, name: str) -> tuple[str, ...]:
        """One object, or with ``*`` several, as ``targets`` names them."""
        return (f"{self._clusters.shown(config.cluster)}/{namespace}/{kind}/{name}",)
