"""What else in the namespace would feel a second set of pods: other workloads and Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import PODS, SERVICES, Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.target_config import label_selector
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, dig, pod_template
from webhook_drivers.kubernetes.strategies.second import routing
from webhook_service import DriverError, Retry

LIST_SERVICES = Right(SERVICES, ("list",), optional=True)
OVER = ("Succeeded", "Failed")
SERVING = ("Deployment", "StatefulSet", "DaemonSet")


def shared(cluster: Cluster, name: str, main: Json, target: Address) -> str:
    """Why a Service may not be narrowed: pods of other workloads would lose its traffic."""
    where = Address(SERVICES, target.namespace, name)
    try:
        wanted = routing.base(cluster.get(where))
        found = next(_others(cluster, wanted, main, target), None)
    except Retry:
        raise
    except DriverError:
        return ""  # what cannot be read is said where it is needed
    if found is None:
        return ""
    return (
        f"{where} selects {label_selector(wanted)} and so sends to {found} too, which would get "
        f"no traffic while it sends to one version of {target.name} only: give {target.name} a "
        "Service of its own."
    )


def early(cluster: Cluster, used: tuple[str, ...], main: Json, target: Address) -> list[str]:
    """The other Services that would send to new pods before the switch.

    None also without the right to list Services.
    """
    labels = dig(main, "spec", "template", "metadata", "labels")
    try:
        found = cluster.find(SERVICES, target.namespace)
    except Retry:
        raise
    except DriverError:
        return []
    return [
        item["metadata"]["name"]
        for item in found
        if item["metadata"]["name"] not in used and routing.accepts(routing.selector(item), labels)
    ]


def _others(
    cluster: Cluster, wanted: Mapping[str, str], main: Json, target: Address
) -> Iterator[str]:
    own = pod_selector.of(main)
    for pod in cluster.find(PODS, target.namespace, label_selector(wanted), cached=True):
        labels = pod["metadata"].get("labels") or {}
        if not pod_selector.accepts(own, labels) and dig(pod, "status").get("phase") not in OVER:
            yield f"pod {pod['metadata']['name']}"
    yield from _without_pods(cluster, wanted, own, target)


def _without_pods(
    cluster: Cluster, wanted: Mapping[str, str], own: Json, target: Address
) -> Iterator[str]:
    """Workloads whose pods may not be there at this moment, as far as they may be listed."""
    for kind in (WORKLOADS[name] for name in SERVING):
        try:
            found = cluster.find(kind.resource, target.namespace, cached=True)
        except Retry:
            raise
        except DriverError:
            continue
        for item in found:
            labels = dig(pod_template(kind, item), "metadata", "labels")
            if routing.accepts(wanted, labels) and not pod_selector.accepts(own, labels):
                yield f"{kind.resource.kind} {item['metadata']['name']}"
