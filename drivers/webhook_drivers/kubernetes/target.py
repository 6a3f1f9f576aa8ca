"""The part of a config that says which workload a driver changes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from webhook_drivers.kubernetes.resources import Address
from webhook_drivers.kubernetes.workloads import WORKLOADS, Workload
from webhook_service import DriverConfig

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DnsLabel = Annotated[str, Field(max_length=63, pattern=rf"^{_LABEL}$")]
DnsSubdomain = Annotated[str, Field(max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]


class WorkloadTarget(DriverConfig):
    """One workload of one cluster."""

    cluster: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="The kubeconfig context of the cluster; without it the service's own cluster.",
    )
    namespace: DnsLabel = Field(description="The namespace of the workload.")
    name: DnsSubdomain = Field(description="The name of the workload.")
    kind: Literal["Deployment", "StatefulSet", "DaemonSet", "CronJob"] = Field(
        default="Deployment", description="What the workload is."
    )

    @property
    def workload(self) -> Workload:
        return WORKLOADS[self.kind]

    @property
    def address(self) -> Address:
        return Address(self.workload.resource, self.namespace, self.name)
