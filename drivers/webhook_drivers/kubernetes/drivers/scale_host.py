"""The driver ``scaleHost``: a call adds machines to a cluster, or takes some away.

v1.6 cloned and deleted hosts itself. Here Cluster API does it, for the MachineDeployments whose
labels match: https://cluster-api.sigs.k8s.io/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from webhook_drivers.kubernetes.api.client import MERGE, Cluster
from webhook_drivers.kubernetes.api.labels import (
    ByLabels,
    Labels,
    advice,
    matches,
    selector_problems,
    written,
)
from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_drivers.kubernetes.api.resources import Address, Json, Resource
from webhook_drivers.kubernetes.api.rights import Right, missing
from webhook_drivers.kubernetes.drivers import scaling
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.drivers.scaling import ScaleConfig, Scaling
from webhook_drivers.kubernetes.images.workloads import dig
from webhook_drivers.v16 import shown
from webhook_service import Context, DriverConfig, DriverError, Outcome, Plan, PushEvent, Request

GROUP = "cluster.x-k8s.io"
Version = Literal["v1beta1", "v1beta2"]
# Where each version keeps which machines go first.
DELETE_POLICIES: Mapping[str, tuple[str, ...]] = {
    "v1beta1": ("spec", "strategy", "rollingUpdate", "deletePolicy"),
    "v1beta2": ("spec", "deletion", "order"),
}
DELETE_OPTIONS = {"mostRecent": "Newest", "leastRecent": "Oldest"}


def machine_deployments(version: str) -> Resource:
    return Resource("MachineDeployment", GROUP, version, "machinedeployments")


class ScaleHostConfig(ScaleConfig, ByLabels):
    """Which machines a call adds to or takes from, and how many."""

    host_selector: Labels = Field(
        description="Labels of the MachineDeployments; case does not count, and an empty value "
        "matches any."
    )
    delete_option: Literal["mostRecent", "leastRecent"] | None = Field(
        default=None, description="Which machines go first when scaling down."
    )
    api_version: Version = Field(default="v1beta1", description="The version of Cluster API.")

    @classmethod
    def problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        yield from cls.step_problems(said)
        if said["host_selector"] is None:
            yield "HostSelector not provided"
        yield from selector_problems(said["host_selector"], "hostSelector")
        yield from cls.limit_problems(said)
        option = said["delete_option"]
        if said["action"] == "up" and option:
            yield "Delete option not to be provided while scaling up"
        if said["action"] == "down" and option not in DELETE_OPTIONS:
            yield f"Invalid delete option/Delete option missing {shown(option or '')}".rstrip()

    @property
    def resource(self) -> Resource:
        return machine_deployments(self.api_version)

    def patch(self) -> Json:
        """What to change beside the replicas."""
        if self.delete_option is None:
            return {}
        found: Any = DELETE_OPTIONS[self.delete_option]
        for key in reversed(DELETE_POLICIES[self.api_version]):
            found = {key: found}
        patch: Json = found
        return patch


@dataclass(frozen=True, slots=True)
class Machines:
    """The MachineDeployments that a selector means: their machines are scaled as one group."""

    resource: Resource
    members: tuple[Json, ...]

    @property
    def total(self) -> int:
        return sum(scaling.replicas(member) for member in self.members)

    def scaled_by(self, execution: str) -> tuple[Address, Scaling] | None:
        """What this execution did already."""
        for member in self.members:
            if known := scaling.find(member, execution):
                return self.address(member), known
        return None

    def next(self, config: ScaleHostConfig) -> tuple[Json, int]:
        """Which one to scale, and to how many: the smallest grows, the largest shrinks.

        Raises:
            DriverError: the group would be outside its limits, or no member has enough.
        """
        step = config.wanted("the group of hosts", self.total) - self.total
        chosen = (min if step > 0 else max)(self.members, key=_size)
        after = scaling.replicas(chosen) + step
        if after < 0:
            raise DriverError(
                f"No MachineDeployment of the group has {config.amount} machines to give up: "
                "scale down in smaller steps.",
                code="scale_limit",
            )
        return chosen, after

    def address(self, member: Json) -> Address:
        metadata = member["metadata"]
        return Address(self.resource, metadata["namespace"], metadata["name"])


class ScaleHost(ClusterDriver[ScaleHostConfig, Request]):
    """Scales MachineDeployments of Cluster API by a step per call; does not wait for machines."""

    Config: ClassVar[type[DriverConfig]] = ScaleHostConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request
    rights = (Right(machine_deployments("v1beta1"), ("list", "patch")),)

    def targets(self, config: ScaleHostConfig, context: Context) -> tuple[str, ...]:
        return self.target(config, config.home(context), config.resource.kind, "*")

    def slot(self, config: ScaleHostConfig, event: Request) -> str:
        pairs = written(config.host_selector)
        return f"{config.cluster or ''}/{config.namespace or ''}/hosts/{pairs}"

    def execute(self, config: ScaleHostConfig, event: Request, context: Context) -> Outcome:
        return optimistically("The group of hosts", lambda: self._step(config, context))

    def problems(self, config: ScaleHostConfig, context: Context) -> Iterable[str]:
        cluster, namespace = self.cluster(config, context), config.home(context)
        if denied := missing(cluster, self.rights, namespace):
            return denied
        cluster.find(config.resource, namespace)
        return ()

    def preview(self, config: ScaleHostConfig, event: Request, context: Context) -> Plan:
        machines = _find(self.cluster(config, context), config, context)
        chosen, after = machines.next(config)
        step = Scaling(execution="", before=scaling.replicas(chosen), after=after)
        return Plan((step.change(machines.address(chosen)),))

    def _step(self, config: ScaleHostConfig, context: Context) -> Outcome:
        cluster = self.cluster(config, context)
        machines = _find(cluster, config, context)
        if known := machines.scaled_by(context.execution):
            address, scaled = known
            return scaled.done(address)
        chosen, after = machines.next(config)
        step = Scaling(execution=context.execution, before=scaling.replicas(chosen), after=after)
        address = machines.address(chosen)
        return scaling.apply(cluster, address, chosen, step, config.patch(), MERGE)


def _find(cluster: Cluster, config: ScaleHostConfig, context: Context) -> Machines:
    namespace = config.home(context)
    found = cluster.find(config.resource, namespace)
    if not found:
        raise DriverError(f"No hosts for scaling found in namespace {namespace}.", code="not_found")
    members = tuple(
        item for item in found if matches(dig(item, "metadata", "labels"), config.host_selector)
    )
    if not members:
        raise DriverError(
            f"No host with label {dict(config.host_selector)} exists in namespace {namespace}. "
            f"{advice(config.host_selector)}",
            code="not_found",
        )
    return Machines(config.resource, members)


def _size(member: Json) -> tuple[int, str]:
    return scaling.replicas(member), str(member["metadata"]["name"])
