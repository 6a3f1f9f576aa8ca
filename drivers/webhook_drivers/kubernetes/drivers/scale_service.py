"""The driver ``scaleService``: a call makes a workload larger or smaller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from webhook_drivers.kubernetes.api.client import STRATEGIC_MERGE
from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.api.rights import Right, missing
from webhook_drivers.kubernetes.drivers import scaling
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.drivers.scaling import ScaleConfig, Scaling
from webhook_drivers.kubernetes.images.target_config import ClusterConfig
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_drivers.v16 import shown
from webhook_service import Context, DriverConfig, DriverError, Outcome, Plan, PushEvent, Request

KINDS = ("Deployment", "StatefulSet")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE_ID = re.compile(rf"({_LABEL})/(?:([A-Za-z]{{1,63}})/)?([a-z0-9][-.a-z0-9]{{0,252}})")


class ScaleServiceConfig(ScaleConfig, ClusterConfig):
    """Which workload a call scales, and how far."""

    service_id: str = Field(
        description="namespace/name of a Deployment, or namespace/kind/name, where the kind is "
        "Deployment or StatefulSet."
    )

    @classmethod
    def problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        yield from cls.step_problems(said)
        yield from _id_problems(said["service_id"])
        yield from cls.limit_problems(said)

    @property
    def address(self) -> Address:
        namespace, _, rest = self.service_id.partition("/")
        kind, _, name = rest.rpartition("/")
        return Address(WORKLOADS[kind or KINDS[0]].resource, namespace, name)


class ScaleService(ClusterDriver[ScaleServiceConfig, Request]):
    """Scales a Deployment or StatefulSet by a step per call; does not wait for its pods."""

    Config: ClassVar[type[DriverConfig]] = ScaleServiceConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request
    rights = tuple(Right(WORKLOADS[kind].resource, ("get", "patch")) for kind in KINDS)

    def targets(self, config: ScaleServiceConfig, context: Context) -> tuple[str, ...]:
        address = config.address
        return self.target(config, address.namespace, address.resource.kind, address.name)

    def slot(self, config: ScaleServiceConfig, event: Request) -> str:
        address = config.address
        where = f"{address.namespace}/{address.resource.kind}/{address.name}"
        return f"{config.cluster or ''}/{where}/scale"

    def execute(self, config: ScaleServiceConfig, event: Request, context: Context) -> Outcome:
        return optimistically(config.address, lambda: self._step(config, context))

    def problems(self, config: ScaleServiceConfig, context: Context) -> Iterable[str]:
        address, cluster = config.address, self.cluster(config, context)
        rights = [right for right in self.rights if right.resource == address.resource]
        yield from missing(cluster, rights, address.namespace, address.name)
        try:
            cluster.get(address)
        except DriverError as error:
            if error.reason != "not_found":
                raise
            yield f"Invalid service {config.service_id}: {error.message}"

    def preview(self, config: ScaleServiceConfig, event: Request, context: Context) -> Plan:
        address = config.address
        current = scaling.replicas(self.cluster(config, context).get(address))
        after = config.wanted(address, current)
        return Plan((Scaling(execution="", before=current, after=after).change(address),))

    def _step(self, config: ScaleServiceConfig, context: Context) -> Outcome:
        cluster, address = self.cluster(config, context), config.address
        obj = cluster.get(address)
        if known := scaling.find(obj, context.execution):
            return known.done(address)
        before = scaling.replicas(obj)
        after = config.wanted(address, before)
        step = Scaling(execution=context.execution, before=before, after=after)
        return scaling.apply(cluster, address, obj, step, {}, STRATEGIC_MERGE)


def _id_problems(said: Any) -> Iterator[str]:
    if not said:
        yield "ServiceId not provided"
    elif not isinstance(said, str) or not (found := _SERVICE_ID.fullmatch(said)):
        yield (
            f"Invalid service {shown(said)}: write namespace/name of a Deployment, or "
            "namespace/kind/name."
        )
    elif (kind := found[3]) and kind not in KINDS:
        yield (
            f"Can only create webhooks for {' and '.join(f'{name}s' for name in KINDS)}. The "
            f"supplied service is of type {kind}"
        )
