"""The controllers of StatefulSets and DaemonSets, and the revisions they keep."""

from __future__ import annotations

from webhook_service.testing.fake_cluster.controllers.controller import ControllerView, hash_of
from webhook_service.testing.fake_cluster.controllers.deployments import resolve
from webhook_service.testing.fake_cluster.controllers.kubelet import is_ready
from webhook_service.testing.fake_cluster.objects.objects import clone
from webhook_service.testing.fake_cluster.objects.resources import (
    DAEMONSETS,
    PODS,
    REVISIONS,
    STATEFULSETS,
    Object,
)

HASH = "controller-revision-hash"


def revise(view: ControllerView, item: Object) -> Object:
    """The newest ControllerRevision of a workload; made, or raised to the newest, if needed."""
    template = item["spec"]["template"]
    digest = hash_of(template)
    name = f"{item['metadata']['name']}-{digest}"
    known = view.children(item, REVISIONS)
    newest = max((revision["revision"] for revision in known), default=0)
    found = next((r for r in known if r["metadata"]["name"] == name), None)
    if found is None:
        data = {"spec": {"template": {**template, "$patch": "replace"}}}
        labels = {**(template["metadata"].get("labels") or {}), HASH: digest}
        new = {"metadata": {"name": name, "labels": labels}, "data": data}
        return view.create(REVISIONS, item, {**new, "revision": newest + 1})
    if found["revision"] < newest:
        return view.store.update(REVISIONS, {**found, "revision": newest + 1})
    return found


def _template(view: ControllerView, item: Object, revision: str) -> Object:
    for known in view.children(item, REVISIONS):
        if known["metadata"]["name"] == revision:
            template = clone(known["data"]["spec"]["template"])
            template.pop("$patch", None)
            return template
    template = item["spec"]["template"]
    return clone(template)


def _revision_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get(HASH, ""))


def reconcile_stateful_set(view: ControllerView, item: Object) -> None:
    """One step: the next pod in order is created, updated or deleted."""
    update: str = revise(view, item)["metadata"]["name"]
    current: str = (item.get("status") or {}).get("currentRevision") or update
    pods = {_ordinal(pod): pod for pod in view.children(item, PODS)}
    _order(view, item, pods, current, update)
    pods = {_ordinal(pod): pod for pod in view.children(item, PODS)}
    counts = {
        "replicas": len(pods),
        "readyReplicas": sum(map(is_ready, pods.values())),
        "currentReplicas": sum(_revision_of(pod) == current for pod in pods.values()),
        "updatedReplicas": sum(_revision_of(pod) == update for pod in pods.values()),
    }
    wanted = item["spec"]["replicas"]
    if counts["updatedReplicas"] == counts["readyReplicas"] == len(pods) == wanted:
        current, counts["currentReplicas"] = update, wanted
    status: Object = {key: value for key, value in counts.items() if value or key == "replicas"}
    status |= {"observedGeneration": item["metadata"]["generation"], "collisionCount": 0}
    status |= {"currentRevision": current, "updateRevision": update}
    view.store.update(STATEFULSETS, {**item, "status": status})


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _partition(item: Object) -> int:
    rolling = item["spec"]["updateStrategy"].get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def _order(
    view: ControllerView, item: Object, pods: dict[int, Object], current: str, update: str
) -> None:
    ordered = item["spec"]["podManagementPolicy"] == "OrderedReady"
    wanted = range(item["spec"]["replicas"])
    for ordinal in wanted:
        if ordinal not in pods:
            old = ordinal < _partition(item)
            _create(view, item, ordinal, current if old else update)
        # A pod that never gets ready blocks all that follow, as in Kubernetes.
        if ordered and not (ordinal in pods and is_ready(pods[ordinal])):
            return
    for ordinal in sorted(set(pods) - set(wanted), reverse=True):
        view.remove(PODS, pods[ordinal])
        if ordered:
            return
    if item["spec"]["updateStrategy"]["type"] == "OnDelete":
        return
    for ordinal in sorted(set(wanted) & set(pods), reverse=True):
        if ordinal < _partition(item):
            return
        if _revision_of(pods[ordinal]) != update:
            return view.remove(PODS, pods[ordinal])
        if not is_ready(pods[ordinal]):
            return


def _create(view: ControllerView, item: Object, ordinal: int, revision: str) -> None:
    name = f"{item['metadata']['name']}-{ordinal}"
    labels = {HASH: revision, "statefulset.kubernetes.io/pod-name": name}
    view.create_pod(item, _template(view, item, revision), labels, name)


def reconcile_daemon_set(view: ControllerView, item: Object) -> float | None:
    """One step: a pod on every node, replaced within ``maxUnavailable``."""
    update: str = revise(view, item)["metadata"]["labels"][HASH]
    pods = {pod["spec"].get("nodeName"): pod for pod in view.children(item, PODS)}
    if item["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        _replace_outdated(view, item, pods, update)
    pods = {pod["spec"].get("nodeName"): pod for pod in view.children(item, PODS)}
    for node in view.nodes:
        if node not in pods:
            template = item["spec"]["template"]
            pods[node] = view.create_pod(item, template, {HASH: update}, node=node)
    waits = [
        view.available_in(pod, item["spec"].get("minReadySeconds", 0)) for pod in pods.values()
    ]
    available, wanted = sum(wait == 0 for wait in waits), len(view.nodes)
    status = {
        "numberAvailable": available,
        "numberUnavailable": wanted - available,
        "updatedNumberScheduled": sum(_revision_of(pod) == update for pod in pods.values()),
        "observedGeneration": item["metadata"]["generation"],
    }
    shown = {key: value for key, value in status.items() if value}
    shown |= {"desiredNumberScheduled": wanted, "currentNumberScheduled": len(pods)}
    shown |= {"numberReady": sum(map(is_ready, pods.values())), "numberMisscheduled": 0}
    view.store.update(DAEMONSETS, {**item, "status": shown})
    return min((wait for wait in waits if wait), default=None)


def _replace_outdated(
    view: ControllerView, item: Object, pods: dict[str, Object], update: str
) -> None:
    limit = item["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
    minimum = item["spec"].get("minReadySeconds", 0)
    away = {
        node
        for node in view.nodes
        if node not in pods or view.available_in(pods[node], minimum) != 0
    }
    outdated = [node for node, pod in pods.items() if _revision_of(pod) != update]
    room = max(0, resolve(limit, len(view.nodes), round_up=True) - len(away))
    serving = [node for node in outdated if node not in away]
    # A pod that serves nobody costs nothing, so it is replaced at once.
    for node in (*(node for node in outdated if node in away), *serving[:room]):
        view.remove(PODS, pods[node])
