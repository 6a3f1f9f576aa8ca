"""The Deployment controller: ReplicaSets, revisions and rolling updates as Kubernetes does them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from time import monotonic

from webhook_service.testing.fake_cluster.controllers import deployment_status
from webhook_service.testing.fake_cluster.controllers.controller import (
    ControllerView,
    hash_of,
    version_of,
)
from webhook_service.testing.fake_cluster.controllers.kubelet import phase
from webhook_service.testing.fake_cluster.objects.resources import (
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    Object,
)

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
# Annotations of a Deployment that its ReplicaSets do not get.
OWN = (REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration")


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """How far a rolling update may go above and below the wanted number of pods."""

    surge: int
    unavailable: int


def limits_of(deployment: Object) -> RolloutLimits:
    """``maxSurge`` rounded up and ``maxUnavailable`` rounded down; never both zero."""
    spec = deployment["spec"]
    rolling = spec["strategy"].get("rollingUpdate") or {}
    if spec["strategy"]["type"] != "RollingUpdate":
        return RolloutLimits(0, 0)
    surge = resolve(rolling["maxSurge"], spec["replicas"], round_up=True)
    unavailable = resolve(rolling["maxUnavailable"], spec["replicas"], round_up=False)
    if not surge and not unavailable:
        unavailable = 1
    return RolloutLimits(surge, min(unavailable, spec["replicas"]))


def resolve(value: int | str, total: int, round_up: bool) -> int:
    """A number or a percentage of ``total``."""
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total / 100
    return ceil(share) if round_up else floor(share)


def reconcile_deployment(view: ControllerView, deployment: Object) -> float | None:
    """One step of a Deployment; the change it makes brings the next."""
    sets = view.children(deployment, REPLICASETS)
    new = _current(deployment, sets)
    old = [item for item in sets if item is not new]
    paused = deployment["spec"].get("paused", False)
    if paused:
        _scale_paused(view, deployment, sets, new)
    elif deployment["spec"]["strategy"]["type"] == "Recreate":
        new = _recreate(view, deployment, old, new)
    else:
        new = _roll(view, deployment, old, new)
    sets = view.children(deployment, REPLICASETS)
    unavailable = limits_of(deployment).unavailable
    again = deployment_status.write(view, deployment, sets, new, unavailable)
    if not paused and deployment_status.is_complete(_reread(view, deployment)):
        _prune(view, deployment, sets, new)
    return again


def _reread(view: ControllerView, deployment: Object) -> Object:
    metadata = deployment["metadata"]
    return view.store.find(DEPLOYMENTS, metadata["namespace"], metadata["name"]) or deployment


def _current(deployment: Object, sets: list[Object]) -> Object | None:
    wanted = _bare(deployment["spec"]["template"])
    return next((item for item in sets if _bare(item["spec"]["template"]) == wanted), None)


def _bare(template: Object) -> Object:
    metadata = template["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _roll(
    view: ControllerView, deployment: Object, old: list[Object], new: Object | None
) -> Object:
    current = _adopt(view, deployment, old, new)
    limits, wanted = limits_of(deployment), deployment["spec"]["replicas"]
    running = current["spec"]["replicas"] + sum(item["spec"]["replicas"] for item in old)
    target = wanted
    if current["spec"]["replicas"] < wanted:
        room = max(0, wanted + limits.surge - running)
        target = min(wanted, current["spec"]["replicas"] + room)
    if target != current["spec"]["replicas"]:
        return _scale(view, deployment, current, target)
    _scale_down_old(view, deployment, old, current, limits)
    return current


def _scale_down_old(
    view: ControllerView,
    deployment: Object,
    old: list[Object],
    current: Object,
    limits: RolloutLimits,
) -> None:
    needed = deployment["spec"]["replicas"] - limits.unavailable
    everything = [*old, current]
    running = sum(item["spec"]["replicas"] for item in everything)
    not_yet = current["spec"]["replicas"] - _available(current)
    allowed = running - needed - not_yet
    if allowed <= 0:
        return
    spare = sum(_available(item) for item in everything) - needed
    for item in old:
        replicas = item["spec"]["replicas"]
        # Pods that serve nobody go first and cost no availability.
        unhealthy = min(allowed, replicas - _available(item)) if replicas else 0
        healthy = max(0, min(spare, replicas - unhealthy, allowed - unhealthy))
        if unhealthy + healthy > 0:
            _scale(view, deployment, item, replicas - unhealthy - healthy)
        allowed, spare = allowed - unhealthy - healthy, spare - healthy


def _available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def _recreate(
    view: ControllerView, deployment: Object, old: list[Object], new: Object | None
) -> Object | None:
    active = [item for item in old if item["spec"]["replicas"]]
    for item in active:
        _scale(view, deployment, item, 0)
    left = [pod for item in old for pod in view.children(item, PODS)]
    if active or any(phase(pod) not in ("Failed", "Succeeded") for pod in left):
        return new
    current = _adopt(view, deployment, old, new)
    return _scale(view, deployment, current, deployment["spec"]["replicas"])


def _scale_paused(
    view: ControllerView, deployment: Object, sets: list[Object], new: Object | None
) -> None:
    active = [item for item in sets if item["spec"]["replicas"]]
    newest = max(active, key=_revision, default=new)
    if newest is not None and len(active) < 2:
        _scale(view, deployment, newest, deployment["spec"]["replicas"])


def _scale(view: ControllerView, deployment: Object, item: Object, replicas: int) -> Object:
    wanted = deployment["spec"]["replicas"]
    annotations = {
        **(item["metadata"].get("annotations") or {}),
        DESIRED: str(wanted),
        MAXIMUM: str(wanted + limits_of(deployment).surge),
    }
    metadata = {**item["metadata"], "annotations": annotations}
    spec = {**item["spec"], "replicas": replicas}
    return view.store.update(REPLICASETS, {**item, "metadata": metadata, "spec": spec})


def _revision(item: Object) -> int:
    return int((item["metadata"].get("annotations") or {}).get(REVISION, 0))


def _adopt(
    view: ControllerView, deployment: Object, old: list[Object], new: Object | None
) -> Object:
    """The ReplicaSet of the current template, with the newest revision; made if it is missing."""
    number = max(map(_revision, old), default=0) + 1
    current = new or _create(view, deployment)
    annotations = dict(current["metadata"].get("annotations") or {})
    inherited = deployment["metadata"].get("annotations") or {}
    annotations |= {key: value for key, value in inherited.items() if key not in OWN}
    if _revision(current) < number:
        if _revision(current):
            earlier = annotations.get(HISTORY, "")
            annotations[HISTORY] = ",".join(filter(None, (earlier, annotations[REVISION])))
        annotations[REVISION] = str(number)
    metadata = {**current["metadata"], "annotations": annotations}
    spec = {**current["spec"], "minReadySeconds": deployment["spec"].get("minReadySeconds", 0)}
    if not spec["minReadySeconds"]:
        del spec["minReadySeconds"]
    current = view.store.update(REPLICASETS, {**current, "metadata": metadata, "spec": spec})
    _mark(view, deployment, str(_revision(current)))
    return current


def _create(view: ControllerView, deployment: Object) -> Object:
    spec = deployment["spec"]
    digest = hash_of(spec["template"])
    template = spec["template"]
    labels = {**(template["metadata"].get("labels") or {}), HASH: digest}
    selector = spec["selector"]
    matched = {**(selector.get("matchLabels") or {}), HASH: digest}
    item = {
        "metadata": {"name": f"{deployment['metadata']['name']}-{digest}", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {**selector, "matchLabels": matched},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }
    view.progressed[deployment["metadata"]["uid"]] = monotonic()
    return view.create(REPLICASETS, deployment, item)


def _mark(view: ControllerView, deployment: Object, revision: str) -> None:
    live = _reread(view, deployment)
    annotations = {**(live["metadata"].get("annotations") or {}), REVISION: revision}
    metadata = {**live["metadata"], "annotations": annotations}
    view.store.update(DEPLOYMENTS, {**live, "metadata": metadata})


def _prune(
    view: ControllerView, deployment: Object, sets: list[Object], new: Object | None
) -> None:
    kept = deployment["spec"]["revisionHistoryLimit"]
    name = new["metadata"]["name"] if new else ""
    idle = [
        item
        for item in sets
        if item["metadata"]["name"] != name
        and not item["spec"]["replicas"]
        and not (item.get("status") or {}).get("replicas")
    ]
    idle.sort(key=lambda item: (_revision(item), version_of(item)))
    for item in idle[: max(0, len(idle) - kept)]:
        view.remove(REPLICASETS, item)
