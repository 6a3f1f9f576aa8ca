"""The driver ``deploymentUpdate``: a push becomes the image of a workload's containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from webhook_drivers.kubernetes.clusters import Clusters
from webhook_drivers.kubernetes.faults import denied
from webhook_drivers.kubernetes.image_update import ImageUpdate
from webhook_drivers.kubernetes.push import Push
from webhook_drivers.kubernetes.selection import missing_containers
from webhook_drivers.kubernetes.strategy import RollingStrategy
from webhook_drivers.kubernetes.target import DnsLabel, WorkloadTarget
from webhook_drivers.kubernetes.workloads import containers
from webhook_drivers.v16 import LegacyPush
from webhook_service import (
    Context,
    DriverConfig,
    DriverError,
    InvalidConfig,
    Outcome,
    Plan,
    PushEvent,
    Retry,
    WebhookDriver,
)


class DeploymentUpdateConfig(WorkloadTarget, LegacyPush):
    """Which workload a push updates, and how."""

    containers: tuple[DnsLabel, ...] = Field(
        default=(),
        max_length=50,
        description="The containers and init containers to change; without them all whose image "
        "is of the pushed repository.",
    )
    pin: bool = Field(
        default=True,
        description="Deploy the digest of the push, if it carries one, beside the tag.",
    )
    strategy: RollingStrategy = Field(
        default=RollingStrategy(), description="How the pods are replaced."
    )
    timeout_seconds: int = Field(
        default=600,
        ge=1,
        le=86400,
        description="How long a rollout may take before it counts as failed.",
    )
    rollback_on_failure: bool = Field(
        default=False,
        description="Go back to the images before, if the rollout fails or takes too long.",
    )

    @field_validator("containers")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each container can be named once")
        return names

    @model_validator(mode="after")
    def _limits_fit_the_kind(self) -> Self:
        if self.strategy.limits and self.workload.strategy is None:
            raise ValueError(
                f"a {self.kind} has no maxSurge and maxUnavailable: leave them out of the strategy"
            )
        return self


class DeploymentUpdate(WebhookDriver[DeploymentUpdateConfig]):
    """Updates images of a Deployment, StatefulSet, DaemonSet or CronJob, and follows the rollout.

    Args:
        options: ``kubeconfig`` and ``kube_context``, see ``Clusters``.
        clusters: connections to use instead, for tests.
        now: the clock, in seconds since the epoch.
    """

    Config: ClassVar[type[DriverConfig]] = DeploymentUpdateConfig

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

    def validate(self, config: DeploymentUpdateConfig, context: Context) -> None:
        try:
            problems = self._problems(config, context.project)
        except DriverError as error:
            raise InvalidConfig(error.message) from error
        if problems:
            raise InvalidConfig(" ".join(problems))

    def slot(self, config: DeploymentUpdateConfig, event: PushEvent) -> str:
        repository = event.reference.name
        where = f"{config.cluster or ''}/{config.namespace}/{config.kind}/{config.name}"
        return f"{where}/{repository}"

    def running(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> tuple[str, ...]:
        return self._update(config, event, context).running_tags()

    def plan(self, config: DeploymentUpdateConfig, event: PushEvent, context: Context) -> Plan:
        try:
            return self._update(config, event, context).plan()
        except DriverError as error:
            return Plan(notes=(error.message,))

    def execute(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> Outcome:
        return self._update(config, event, context).step()

    def close(self) -> None:
        self._clusters.close()

    def _update(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> ImageUpdate:
        push = Push(
            workload=config.workload,
            address=config.address,
            event=event,
            context=context,
            wanted=config.containers,
            pin=config.pin,
        )
        return ImageUpdate(
            cluster=self._clusters.get(config.cluster, context.project),
            push=push,
            rolling=config.strategy.limits,
            timeout=config.timeout_seconds,
            rollback=config.rollback_on_failure,
            now=self._now,
        )

    def _problems(self, config: DeploymentUpdateConfig, project: str) -> list[str]:
        cluster, address = self._clusters.get(config.cluster, project), config.address
        missing = [verb for verb in ("get", "patch") if not cluster.may(verb, address)]
        problems = [denied(" and ".join(missing), address)] if missing else []
        if "get" in missing:
            return problems
        try:
            found = containers(config.workload, cluster.get(address))
        except Retry:
            raise
        except DriverError as error:
            return [*problems, error.message]
        names = {item.name for item in found}
        if absent := [name for name in config.containers if name not in names]:
            problems.append(missing_containers(str(address), absent, found))
        return problems
