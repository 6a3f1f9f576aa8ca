"""Which pods a Service sends to: its selector, and the ready addresses that follow from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import (
    PODS,
    REPLICASETS,
    SERVICES,
    Address,
    Json,
    Resource,
)
from webhook_drivers.kubernetes.images.target_config import label_selector
from webhook_drivers.kubernetes.images.workloads import annotation, dig, is_owned
from webhook_drivers.kubernetes.strategies.second.deployment import COLOR, HASH, pods_of
from webhook_service import DriverError, Retry

ENDPOINTS = Resource("Endpoints", "", "v1", "endpoints")
REVISION = "deployment.kubernetes.io/revision"
SWITCH = "webhook-service.io/switch"
"""On the Service: by which push its selector was moved last, and when."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What we noted on a Service.

    Attributes:
        by: the push that moves it now.
        at: when its pods began to serve, in seconds since the epoch; None before.
    """

    by: str = ""
    at: float | None = None

    @classmethod
    def read(cls, service: Json) -> Switch:
        """What is noted; what people broke is treated as absent."""
        try:
            found = json.loads(annotation(service, SWITCH) or "{}")
            return cls(str(found.get("by", "")), float(found["at"]) if "at" in found else None)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()

    def as_text(self) -> str:
        said = {"by": self.by} | ({"at": self.at} if self.at is not None else {})
        return json.dumps(said, sort_keys=True)


def selector(service: Json) -> Mapping[str, str]:
    return dig(service, "spec", "selector")


def base(service: Json) -> dict[str, str]:
    """The selector as its owner wrote it."""
    return {key: value for key, value in selector(service).items() if key not in (COLOR, HASH)}


def narrowed(service: Json) -> dict[str, str]:
    """What we added to it."""
    return {key: value for key, value in selector(service).items() if key in (COLOR, HASH)}


def is_touched(service: Json) -> bool:
    return bool(narrowed(service)) or annotation(service, SWITCH) is not None


def moved(service: Json, to: Mapping[str, str], switch: Switch | None) -> Json:
    """The patch that narrows a Service to some pods, in one step; to none: as it was."""
    version = service["metadata"]["resourceVersion"]
    note = {SWITCH: switch.as_text() if switch else None}
    return {
        "metadata": {"resourceVersion": version, "annotations": note},
        "spec": {"selector": {COLOR: None, HASH: None, **to}},
    }


def unfit(cluster: Cluster, name: str, main: Json, target: Address) -> str:
    """Why a Service cannot be used: it does not send to the Deployment's pods; else empty."""
    where = Address(SERVICES, target.namespace, name)
    try:
        wanted = base(cluster.get(where))
    except Retry:
        raise
    except DriverError as error:
        return error.message
    labels = dig(main, "spec", "template", "metadata", "labels")
    if wanted and all(labels.get(key) == value for key, value in wanted.items()):
        return ""
    said = label_selector(wanted) or "nothing"
    return (
        f"{where} does not send to the pods of {target} (it selects {said}): correct the "
        "strategy's Service."
    )


def template_hash(cluster: Cluster, main: Json) -> str:
    """The label that tells the pods of a Deployment's newest template from all others; "" for none.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label
    """
    metadata = main["metadata"]
    revision = annotation(main, REVISION)
    found = cluster.find(REPLICASETS, metadata["namespace"], pods_of(main, {}), cached=True)
    for item in found:
        if is_owned(item, metadata["uid"]) and annotation(item, REVISION) == revision:
            return str((item["metadata"].get("labels") or {}).get(HASH, ""))
    return ""


def ready(cluster: Cluster, service: Address, pods: str) -> int:
    """How many of the pods of a label selector a Service sends to now."""
    try:
        endpoints = cluster.get(Address(ENDPOINTS, service.namespace, service.name))
    except DriverError as error:
        if error.reason == "not_found":
            return 0
        raise
    # Pods that are listed a moment late are not counted yet, and gone ones have no address.
    found = cluster.find(PODS, service.namespace, pods, cached=True)
    uids = {item["metadata"]["uid"] for item in found}
    addresses = [
        address
        for subset in endpoints.get("subsets") or ()
        for address in subset.get("addresses") or ()
    ]
    return sum((address.get("targetRef") or {}).get("uid") in uids for address in addresses)


def find(cluster: Cluster, where: Address) -> Json | None:
    """An object, or None."""
    try:
        return cluster.get(where)
    except DriverError as error:
        if error.reason == "not_found":
            return None
        raise
