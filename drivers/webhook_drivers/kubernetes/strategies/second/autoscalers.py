"""HorizontalPodAutoscalers that name a Deployment: they must scale the one that serves."""

from __future__ import annotations

from webhook_drivers.kubernetes.api.client import MERGE, Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json, Resource
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.workloads import dig
from webhook_service.failpoints import failpoint

# Version 1 is served by all versions of Kubernetes, and names targets like its successors.
AUTOSCALERS = Resource("HorizontalPodAutoscaler", "autoscaling", "v1", "horizontalpodautoscalers")
MOVE = Right(AUTOSCALERS, ("list", "patch"))
LOOK = Right(AUTOSCALERS, ("list",))


def of(cluster: Cluster, namespace: str, *names: str) -> tuple[Json, ...]:
    """Those that scale Deployments of these names."""
    return tuple(
        item
        for item in cluster.find(AUTOSCALERS, namespace)
        if dig(item, "spec", "scaleTargetRef").get("kind") == "Deployment"
        and dig(item, "spec", "scaleTargetRef").get("name") in names
    )


def managed(cluster: Cluster, target: Address) -> list[str]:
    """A sentence for each that another controller would move back."""
    return [
        f"The autoscaler {item['metadata']['name']} of {target} belongs to {owner['kind']} "
        f"{owner['name']}, which would move it back: use the strategy rolling, or an autoscaler "
        "of its own."
        for item in of(cluster, target.namespace, target.name)
        for owner in item["metadata"].get("ownerReferences") or ()
        if owner.get("controller")
    ]


def fighting(cluster: Cluster, target: Address) -> list[str]:
    """A sentence for each that would change how a canary shares out the pods."""
    return [
        f"The autoscaler {item['metadata']['name']} sets the number of pods of {target}, which a "
        "canary shares out itself: use the strategy blueGreen or rolling."
        for item in of(cluster, target.namespace, target.name)
    ]


def move(cluster: Cluster, namespace: str, names: tuple[str, ...], to: str) -> bool:
    """Point all that scale Deployments of these names at one of them; whether any had to be."""
    others = [name for name in names if name != to]
    found = of(cluster, namespace, *others)
    for item in found:
        patch = {
            "metadata": {"resourceVersion": item["metadata"]["resourceVersion"]},
            "spec": {"scaleTargetRef": {"name": to}},
        }
        where = Address(AUTOSCALERS, namespace, item["metadata"]["name"])
        failpoint("autoscaler.before")
        cluster.patch(where, patch, content_type=MERGE)
        failpoint("autoscaler.sent")
    return bool(found)
