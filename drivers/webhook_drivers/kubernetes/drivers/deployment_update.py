"""The driver ``deploymentUpdate``: a push becomes the image of a workload's containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from itertools import islice
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import denied
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import CREATE_EVENTS, Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.images import dry_run
from webhook_drivers.kubernetes.images.containers import missing_containers
from webhook_drivers.kubernetes.images.fleet import Fleet, Member, interrupt, meant_for
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.rollout import too_slow
from webhook_drivers.kubernetes.images.target_config import DnsLabel, WorkloadTarget
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, Workload, containers
from webhook_drivers.kubernetes.live import offers
from webhook_drivers.kubernetes.live.deployers import deployer, warning
from webhook_drivers.kubernetes.strategies import AnyStrategy
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.kubernetes.watching import follow
from webhook_drivers.v16 import LegacyPush
from webhook_service import (
    Context,
    DriverConfig,
    DriverError,
    Interruption,
    Observed,
    Offer,
    Outcome,
    Plan,
    PushEvent,
    Retry,
)

MAX_WARNINGS = 10


class DeploymentUpdateConfig(WorkloadTarget, LegacyPush):
    """Which workloads a push updates, and how."""

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
    strategy: AnyStrategy = Field(default=Rolling(), description="How the pods are replaced.")
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
    on_newer: Literal["takeOver", "wait"] = Field(
        default="takeOver",
        description="What a push does whose target still rolls an older one out: take over at "
        "once, or wait for its end.",
    )

    @field_validator("containers")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each container can be named once")
        return names

    @model_validator(mode="after")
    def _strategy_fits_the_target(self) -> Self:
        if unfit := self.strategy.unfit(self.workload):
            raise ValueError(unfit)
        if self.selector and not self.strategy.many:
            raise ValueError(f"the strategy {self.strategy.type} needs one `name`, not a selector")
        return self


def _verbs(workload: Workload) -> tuple[str, ...]:
    """With the right to hear of changes, where that is of use; without it they are asked for."""
    verbs = ("get", "list", "patch")
    return (*verbs, "watch") if Rolling().is_shown_by(workload) else verbs


class DeploymentUpdate(ClusterDriver[DeploymentUpdateConfig]):
    """Updates images of Deployments, StatefulSets, DaemonSets, CronJobs and custom kinds.

    It follows each rollout to its end.
    """

    Config: ClassVar[type[DriverConfig]] = DeploymentUpdateConfig
    rights = (
        *(Right(kind.resource, _verbs(kind)) for kind in WORKLOADS.values()),
        *Rolling.rights,
        CREATE_EVENTS,
    )

    def targets(self, config: DeploymentUpdateConfig, context: Context) -> tuple[str, ...]:
        return self.target(config, config.namespace, config.kind, config.name or "*")

    def slot(self, config: DeploymentUpdateConfig, event: PushEvent) -> str:
        target = config.name or config.label_selector
        where = f"{config.cluster or ''}/{config.namespace}/{config.kind}/{target}"
        return f"{where}/{event.reference.name}"

    def running(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> tuple[str, ...]:
        return self._change(config, event, context).running_tags()

    def observe(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> tuple[Observed, ...]:
        return self._change(config, event, context).observe()

    def preview(self, config: DeploymentUpdateConfig, event: PushEvent, context: Context) -> Plan:
        change = self._change(config, event, context)
        return change.plan() if isinstance(change, Fleet) else dry_run.plan(change)

    def execute(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> Outcome:
        change = self._change(config, event, context)
        return change.step() if isinstance(change, Fleet) else follow.step(change)

    def interrupt(
        self,
        config: DeploymentUpdateConfig,
        event: PushEvent,
        context: Context,
        why: Interruption,
    ) -> Outcome:
        if why is Interruption.NEWER and config.on_newer == "wait":
            return self.execute(config, event, context)
        return interrupt(self._change(config, event, context), why)

    def warnings(self, config: DeploymentUpdateConfig, context: Context) -> tuple[str, ...]:
        cluster = self.cluster(config, context)
        found = _find(cluster, config).items()
        said = (text for where, obj in found for text in _warnings(cluster, config, where, obj))
        return tuple(islice(said, MAX_WARNINGS))

    def offers(self, config: Mapping[str, Any], context: Context) -> tuple[Offer, ...]:
        if not config and self._clusters.names:
            return offers.clusters(self._clusters.names, self._clusters.shown(None))
        parts = [config.get(name) for name in ("cluster", "namespace", "kind", "name")]
        if not all(part is None or isinstance(part, str) for part in parts):
            return ()
        named, namespace, kind, name = parts
        cluster = self._clusters.get(named, context.project, shared=context.shared)
        if not namespace:
            return offers.namespaces(cluster, config)
        if not name:
            return offers.workloads(cluster, config)
        known = kind in WORKLOADS and "containers" not in config
        return offers.whole_or_part(cluster, config) if known else ()

    def problems(self, config: DeploymentUpdateConfig, context: Context) -> Iterator[str]:
        config.refuse_built_in()
        cluster = self.cluster(config, context)
        yield from _missing_rights(cluster, config)
        try:
            found = _find(cluster, config)
        except Retry:
            raise
        except DriverError as error:
            if error.reason != "forbidden":
                yield error.message
            return
        if not found:
            yield f"There is no {_chosen(config)}: create one, or correct the selector."
        for address, obj in found.items():
            yield from config.strategy.problems(cluster, address, obj)
            min_ready = config.strategy.min_ready(obj)
            yield from too_slow(address, min_ready, config.timeout_seconds)
            has = containers(config.workload, obj)
            names = {item.name for item in has}
            if absent := [name for name in config.containers if name not in names]:
                yield missing_containers(str(address), absent, has)

    def _change(
        self, config: DeploymentUpdateConfig, event: PushEvent, context: Context
    ) -> ImageUpdate | Fleet:
        config.refuse_built_in()
        update = self._update(config, event, context)
        if config.name:
            return update
        members = []
        for address, obj in _find(update.cluster, config).items():
            own = meant_for(str(address), event, context)
            push = replace(update.push, address=address, event=own)
            members.append(Member(replace(update, push=push), obj))
        return Fleet(members=members, context=context, chosen=_chosen(config))

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
            in_place=not config.strategy.reverts,
        )
        return ImageUpdate(
            cluster=self.cluster(config, context),
            push=push,
            strategy=config.strategy,
            timeout=config.timeout_seconds,
            rollback=config.rollback_on_failure,
            now=self._now,
            allowed=tuple(ip_network(each) for each in self.options.get("allow_private", ())),
        )


def _find(cluster: Cluster, config: DeploymentUpdateConfig) -> Mapping[Address, Json]:
    """The workloads that a config means, as they are now: one read, whatever their number."""
    if config.name:
        return {config.address: cluster.get(config.address)}
    found = cluster.find(config.workload.resource, config.namespace, config.label_selector)
    return {replace(config.address, name=item["metadata"]["name"]): item for item in found}


def _missing_rights(cluster: Cluster, config: DeploymentUpdateConfig) -> Iterator[str]:
    address = config.address
    verbs = ("get", "patch") if config.name else ("get", "list", "patch")
    if lacking := [verb for verb in verbs if not cluster.may(verb, address)]:
        yield denied(" and ".join(lacking), address)
    yield from missing(cluster, config.strategy.rights, config.namespace)


def _warnings(
    cluster: Cluster, config: DeploymentUpdateConfig, address: Address, obj: Json
) -> Iterator[str]:
    if tool := deployer(obj):
        yield warning(address, tool)
    yield from config.strategy.warnings(cluster, address, obj)


def _chosen(config: DeploymentUpdateConfig) -> str:
    resource = config.workload.resource
    return f"{resource.plural} of namespace {config.namespace} with {config.label_selector}"
