"""The driver ``serviceUpgrade``: a push upgrades all workloads that carry some labels.

v1.6 upgraded services so many at a time, with a pause between. Here Kubernetes does it, by the
limits of its rolling updates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.labels import (
    ByLabels,
    Labels,
    advice,
    matches,
    selector_problems,
    written,
)
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import CREATE_EVENTS, Right, missing
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.images.fleet import Fleet, Member, interrupt, meant_for
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, Workload, dig, pod_template
from webhook_drivers.kubernetes.live.deployers import deployer, warning
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.v16 import (
    DEPRECATED,
    AddressType,
    LegacyConfig,
    implied_by,
    is_below_one,
    shown,
)
from webhook_service import (
    Context,
    DriverConfig,
    Interruption,
    Observed,
    Outcome,
    Plan,
    PushEvent,
)

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
MAX_BATCH, MAX_INTERVAL = 1000, 86400
MAX_WARNINGS = 10
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class ServiceUpgradeConfig(LegacyConfig, ByLabels):
    """Which workloads a push upgrades, and in which steps."""

    service_selector: Labels = Field(
        description="Labels of the workloads or their pods; case does not count, and an empty "
        "value matches any."
    )
    tag: str = Field(max_length=128, description="The tag to deploy; pushes of others are ignored.")
    payload_format: Literal["dockerhub", "alicloud", "azure"] = Field(
        default="dockerhub",
        description="Who sends the pushes; source.format knows others.",
        json_schema_extra=DEPRECATED,
    )
    address_type: AddressType = Field(
        default="registry",
        description="alicloud only: the host of the registry.",
        json_schema_extra=DEPRECATED,
    )
    batch_size: int = Field(default=1, ge=1, strict=True, description="How many pods at a time.")
    interval_millis: int = Field(
        default=2,
        ge=1,
        strict=True,
        description="Seconds, in spite of its name, that pods must be ready before the next ones.",
    )
    start_first: bool = Field(
        default=False,
        description="Deployments only: start new pods before old ones are stopped.",
    )
    timeout_seconds: int = Field(
        default=600, ge=1, le=86400, description="How long the upgrade of one workload may take."
    )
    rollback_on_failure: bool = Field(
        default=False, description="Go back to the images before where the upgrade fails."
    )

    @classmethod
    def problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        tag = said["tag"]
        if said["service_selector"] is None:
            yield "Service selectors not provided"
        yield from selector_problems(said["service_selector"], "serviceSelector")
        if not tag:
            yield "Tag not provided"
        if isinstance(tag, str) and not _TAG.fullmatch(tag):
            yield (
                f"Invalid tag {shown(tag)}, tag length must be < 128, must contain "
                "[a-zA-Z0-9.-_] characters only, cannot start with '.' or '-'"
            )
        if is_below_one(said["batch_size"]):
            yield "Batch size for upgrade not provided/invalid"
        if is_below_one(said["interval_millis"]):
            yield "Batch interval for upgrade not provided/invalid"
        for name, most in (("batch_size", MAX_BATCH), ("interval_millis", MAX_INTERVAL)):
            if isinstance(said[name], int) and said[name] > most:
                yield f"{to_camel(name)}: at most {most}"

    def implied(self) -> Mapping[str, Any]:
        """The format only where it is said, so that a receiver may say another in its source."""
        said = self.payload_format if "payload_format" in self.model_fields_set else None
        return implied_by(self.tag, said, self.address_type)

    def strategy(self, workload: Workload) -> Rolling:
        """The limits of a kind: StatefulSets have none, DaemonSets one pod per node."""
        if workload.strategy is None:
            return Rolling()
        first = self.start_first and workload.resource.kind == "Deployment"
        surge, unavailable = (self.batch_size, 0) if first else (0, self.batch_size)
        return Rolling(
            max_surge=surge, max_unavailable=unavailable, min_ready_seconds=self.interval_millis
        )


class ServiceUpgrade(ClusterDriver[ServiceUpgradeConfig]):
    """Upgrades the Deployments, StatefulSets and DaemonSets of a selector, and follows them."""

    Config: ClassVar[type[DriverConfig]] = ServiceUpgradeConfig
    rights = (
        *(Right(WORKLOADS[kind].resource, ("get", "list", "patch")) for kind in KINDS),
        *Rolling.rights,
        CREATE_EVENTS,
    )

    def targets(self, config: ServiceUpgradeConfig, context: Context) -> tuple[str, ...]:
        return self.target(config, config.home(context), "*", "*")

    def slot(self, config: ServiceUpgradeConfig, event: PushEvent) -> str:
        where = f"{config.cluster or ''}/{config.namespace or ''}/services"
        return f"{where}/{written(config.service_selector)}/{event.reference.name}"

    def running(
        self, config: ServiceUpgradeConfig, event: PushEvent, context: Context
    ) -> tuple[str, ...]:
        return self._fleet(config, event, context).running_tags()

    def observe(
        self, config: ServiceUpgradeConfig, event: PushEvent, context: Context
    ) -> tuple[Observed, ...]:
        return self._fleet(config, event, context).observe()

    def preview(self, config: ServiceUpgradeConfig, event: PushEvent, context: Context) -> Plan:
        return self._fleet(config, event, context).plan()

    def execute(self, config: ServiceUpgradeConfig, event: PushEvent, context: Context) -> Outcome:
        return self._fleet(config, event, context).step()

    def interrupt(
        self, config: ServiceUpgradeConfig, event: PushEvent, context: Context, why: Interruption
    ) -> Outcome:
        return interrupt(self._fleet(config, event, context), why)

    def problems(self, config: ServiceUpgradeConfig, context: Context) -> Iterable[str]:
        cluster, namespace = self.cluster(config, context), config.home(context)
        if denied := missing(cluster, self.rights, namespace):
            return denied
        if not _find(cluster, config, namespace):
            what = advice(config.service_selector)
            return [f"There are no {_chosen(config, context)}. {what}"]
        return ()

    def warnings(self, config: ServiceUpgradeConfig, context: Context) -> tuple[str, ...]:
        found = _find(self.cluster(config, context), config, config.home(context))
        managed = ((address, deployer(obj)) for _, address, obj in found)
        said = (warning(address, tool) for address, tool in managed if tool)
        return tuple(islice(said, MAX_WARNINGS))

    def _fleet(self, config: ServiceUpgradeConfig, event: PushEvent, context: Context) -> Fleet:
        cluster = self.cluster(config, context)
        members = [
            Member(self._update(cluster, config, workload, address, event, context), obj)
            for workload, address, obj in _find(cluster, config, config.home(context))
        ]
        return Fleet(members=members, context=context, chosen=_chosen(config, context))

    def _update(
        self,
        cluster: Cluster,
        config: ServiceUpgradeConfig,
        workload: Workload,
        address: Address,
        event: PushEvent,
        context: Context,
    ) -> ImageUpdate:
        return ImageUpdate(
            cluster=cluster,
            push=Push(
                workload=workload,
                address=address,
                event=meant_for(str(address), event, context),
                context=context,
            ),
            strategy=config.strategy(workload),
            timeout=config.timeout_seconds,
            rollback=config.rollback_on_failure,
            now=self._now,
        )


def _find(
    cluster: Cluster, config: ServiceUpgradeConfig, namespace: str
) -> list[tuple[Workload, Address, Json]]:
    return [
        (workload, Address(workload.resource, namespace, obj["metadata"]["name"]), obj)
        for workload in (WORKLOADS[kind] for kind in KINDS)
        for obj in cluster.find(workload.resource, namespace)
        if any(
            matches(dig(labelled, "metadata", "labels"), config.service_selector)
            for labelled in (obj, pod_template(workload, obj))
        )
    ]


def _chosen(config: ServiceUpgradeConfig, context: Context) -> str:
    pairs = written(config.service_selector)
    return f"workloads of namespace {config.home(context)} with {pairs}"
