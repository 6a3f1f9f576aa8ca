"""Which pods a Service sends to: its selector, and the ready addresses that follow from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import (
    PODS,
    REPLICASETS,
    SERVICES,
    Address,
    Json,
    Resource,
)
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.target_config import label_selector
from webhook_drivers.kubernetes.images.workloads import annotation, dig, is_owned
from webhook_drivers.kubernetes.strategies.second.deployment import (
    COLOR,
    HASH,
    labels_of_pods,
    pods_of,
)
from webhook_service import DriverError, Retry

ENDPOINTS = Resource("Endpoints", "", "v1", "endpoints")
SLICES = Resource("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices")
SERVICE_NAME = "kubernetes.io/service-name"
LOOK = (Right(SLICES, ("list",), optional=True), Right(ENDPOINTS, ("get",)))
"""Kubernetes before 1.21 has Endpoints only, and so have Roles of release 0.1.0."""
REVISION = "deployment.kubernetes.io/revision"
SWITCH = "webhook-service.io/switch"
"""On the Service: by which push its selector was moved last, and when."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What we noted on a Service.

    Attributes:
        by: the push that moves it now.
        at: when its pods began to serve, in seconds since the epoch; None before.
        of: which template of which Deployment it is narrowed to by its hash, see ``template_mark``.
        target: the name of people's Deployment; notes of release 0.1.0 have none.
    """

    by: str = ""
    at: float | None = None
    of: str = ""
    target: str = ""

    @classmethod
    def read(cls, service: Json) -> Switch:
        """What is noted; what people broke is treated as absent."""
        try:
            found = json.loads(annotation(service, SWITCH) or "{}")
            at = float(found["at"]) if "at" in found else None
            by, of, target = (str(found.get(key, "")) for key in ("by", "of", "target"))
            return cls(by, at, of, target)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()

    def as_text(self) -> str:
        more = {"of": self.of, "target": self.target}
        said = {key: value for key, value in more.items() if value}
        at = {"at": self.at} if self.at is not None else {}
        return json.dumps({"by": self.by} | at | said, sort_keys=True)


def selector(service: Json) -> Mapping[str, str]:
    return dig(service, "spec", "selector")


def base(service: Json) -> dict[str, str]:
    """The selector as its owner wrote it."""
    return {key: value for key, value in selector(service).items() if key not in (COLOR, HASH)}


def narrowed(service: Json) -> dict[str, str]:
    """What we added to it."""
    return {key: value for key, value in selector(service).items() if key in (COLOR, HASH)}


def is_noted(service: Json) -> bool:
    """Whether a switch has moved it, and not yet back to what its owner wrote."""
    return annotation(service, SWITCH) is not None


def is_touched(service: Json) -> bool:
    return bool(narrowed(service)) or is_noted(service)


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
        live = cluster.get(where)
    except Retry:
        raise
    except DriverError as error:
        return error.message
    return "" if sends_to(live, main) else astray(live, where, target)


def astray(service: Json, where: Address, target: Address) -> str:
    """The sentence about a Service that sends to other pods than those of the Deployment."""
    said = label_selector(base(service)) or "nothing"
    return (
        f"{where} does not send to the pods of {target} (it selects {said}): correct the "
        "strategy's Service."
    )


def sends_to(service: Json, main: Json) -> bool:
    """Whether a Service, as its owner wrote it, sends to the pods of a Deployment."""
    return accepts(base(service), labels_of_pods(main))


def accepts(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service of this selector sends to pods with these labels."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


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


def template_mark(main: Json) -> str:
    """What tells the newest template of a Deployment from others, without a call.

    A Deployment that is made anew begins with revision 1 again.
    """
    return f"{main['metadata']['uid']} {annotation(main, REVISION) or ''}"


def ready(cluster: Cluster, service: Address, pods: str) -> int:
    """How many of the pods of a label selector a Service sends to now."""
    targets = _in_slices(cluster, service)
    if targets is None:
        targets = _in_endpoints(cluster, service)
    # Pods that are listed a moment late are not counted yet, and gone ones have no address.
    found = cluster.find(PODS, service.namespace, pods, cached=True)
    return len({item["metadata"]["uid"] for item in found} & targets)


def _in_slices(cluster: Cluster, service: Address) -> set[str] | None:
    """The ready pods in the EndpointSlices of a Service; None where there are none to read.

    A pod with two addresses is in two of them.
    https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
    """
    try:
        slices = cluster.find(SLICES, service.namespace, f"{SERVICE_NAME}={service.name}")
    except DriverError as error:
        if error.reason in ("not_found", "forbidden"):
            return None
        raise
    endpoints = [each for item in slices for each in item.get("endpoints") or ()]
    # Nothing said is ready, by the API's own words.
    found = [each for each in endpoints if dig(each, "conditions").get("ready") is not False]
    return _uids(found) if slices else None


def _in_endpoints(cluster: Cluster, service: Address) -> set[str]:
    """The same from Endpoints, which end after 1,000 addresses."""
    endpoints = find(cluster, replace(service, resource=ENDPOINTS)) or {}
    subsets = endpoints.get("subsets") or ()
    return _uids([each for subset in subsets for each in subset.get("addresses") or ()])


def _uids(targets: Iterable[Json]) -> set[str]:
    return {str(dig(each, "targetRef").get("uid")) for each in targets}


def find(cluster: Cluster, where: Address) -> Json | None:
    """An object, or None."""
    try:
        return cluster.get(where)
    except DriverError as error:
        if error.reason == "not_found":
            return None
        raise
