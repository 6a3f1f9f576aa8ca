"""Offers: what people pick from the live cluster: cluster, namespace, workload, containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import denied
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, Workload, containers
from webhook_service import DriverError, Offer, Retry

MAX_OFFERS = 500


def clusters(names: Sequence[str], default: str) -> tuple[Offer, ...]:
    """The clusters that receivers may name, the service's own first."""
    own = Offer(label=f"cluster {default}", config={"cluster": None}, more=True)
    others = (Offer(label=f"cluster {name}", config={"cluster": name}, more=True) for name in names)
    return (own, *others)


def namespaces(cluster: Cluster, config: Mapping[str, Any]) -> tuple[Offer, ...]:
    """The namespaces that the project may touch."""
    return tuple(
        Offer(label=f"namespace {name}", config={**config, "namespace": name}, more=True)
        for name in cluster.namespaces()[:MAX_OFFERS]
    )


def workloads(cluster: Cluster, config: Mapping[str, Any]) -> tuple[Offer, ...]:
    """The workloads of a namespace with their images; a kind that we may not change says so."""
    found = (
        offer
        for workload in WORKLOADS.values()
        for offer in _of_kind(cluster, config, workload)
        if offer.problem or offer.images
    )
    return tuple(islice(found, MAX_OFFERS))


def whole_or_part(cluster: Cluster, config: Mapping[str, Any]) -> tuple[Offer, ...]:
    """All containers of a workload, or one of them."""
    workload = WORKLOADS[config["kind"]]
    address = Address(workload.resource, config["namespace"], config["name"])
    has = containers(workload, cluster.get(address))
    whole = Offer(
        label="whichever containers run the pushed repository",
        config=config,
        images=tuple(item.image for item in has),
    )
    each = (
        Offer(
            label=f"container {item.name} only",
            config={**config, "containers": [item.name]},
            images=(item.image,),
        )
        for item in has
    )
    return (whole, *each)


def _of_kind(cluster: Cluster, config: Mapping[str, Any], workload: Workload) -> Iterator[Offer]:
    resource, namespace = workload.resource, config["namespace"]
    anyone = Address(resource, namespace, "")
    try:
        lacking = [verb for verb in ("get", "patch") if not cluster.may(verb, anyone)]
        problem = denied(" and ".join(lacking), anyone) if lacking else ""
        found = cluster.find(resource, namespace, cached=True)
    except Retry:
        raise
    except DriverError as error:
        yield Offer(label=f"{resource.kind}s of {namespace}", config=config, problem=error.message)
        return
    for obj in found:
        name = str(obj["metadata"]["name"])
        yield Offer(
            label=f"{resource.kind} {name}",
            config={**config, "kind": resource.kind, "name": name},
            images=tuple(item.image for item in containers(workload, obj)),
            problem=problem,
            more=True,
        )
