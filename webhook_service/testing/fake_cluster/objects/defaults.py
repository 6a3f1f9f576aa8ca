"""The values that the API server writes into objects that leave them out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

from webhook_service.testing.fake_cluster.objects import definitions, schemas
from webhook_service.testing.fake_cluster.objects.resources import Object, Resource

POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
CONTAINER = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


def tag_of(image: str) -> str:
    """The tag of an image reference; empty without one."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    return tag if name and "/" not in tag else ""


def fill(resource: Resource, item: Object) -> None:
    """Completes ``item`` in place, as the server does on every write."""
    if resource.qualified in FILLERS:
        FILLERS[resource.qualified](item)
    if resource.custom:
        schemas.prune(resource.schema, item)
    _prune(item["metadata"])


def _prune(metadata: Object) -> None:
    """The server stores no empty maps and lists of metadata."""
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if field in metadata and not metadata[field]:
            del metadata[field]


def _complete(item: Object, values: Mapping[str, object]) -> None:
    for key, value in values.items():
        if item.get(key) is None:
            item[key] = value


def _pod_spec(spec: Object) -> None:
    _complete(spec, {**POD, "securityContext": {}})
    for container in _objects(spec, "containers", "initContainers"):
        always = tag_of(container.get("image") or "") in ("", "latest")
        pinned = "@" in (container.get("image") or "")
        policy = "Always" if always and not pinned else "IfNotPresent"
        _complete(container, {**CONTAINER, "resources": {}, "imagePullPolicy": policy})
        for port in _objects(container, "ports"):
            _complete(port, {"protocol": "TCP"})


def _objects(item: Object, *fields: str) -> Iterator[Object]:
    """The elements of list fields; what is no object is left for the validation to refuse."""
    for field in fields:
        found = item.get(field)
        yield from (e for e in found if isinstance(e, dict)) if isinstance(found, list) else ()


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    _prune(template["metadata"])
    _pod_spec(template.setdefault("spec", {}))


def _pod(item: Object) -> None:
    _pod_spec(item.setdefault("spec", {}))


def _deployment(item: Object) -> None:
    spec = item.setdefault("spec", {})
    _complete(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    _template(spec)
    _complete(spec, {"strategy": {}})
    _complete(spec["strategy"], {"type": "RollingUpdate"})
    if spec["strategy"]["type"] == "RollingUpdate":
        _complete(spec["strategy"], {"rollingUpdate": {}})
        rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
        _complete(spec["strategy"]["rollingUpdate"], rolling)


def _replica_set(item: Object) -> None:
    spec = item.setdefault("spec", {})
    _complete(spec, {"replicas": 1})
    _template(spec)


def _stateful_set(item: Object) -> None:
    spec = item.setdefault("spec", {})
    policy = {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}
    _complete(spec, policy)
    _template(spec)
    _complete(spec, {"updateStrategy": {}})
    strategy = spec["updateStrategy"]
    _complete(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _complete(strategy, {"rollingUpdate": {}})
        _complete(strategy["rollingUpdate"], {"partition": 0})


def _daemon_set(item: Object) -> None:
    spec = item.setdefault("spec", {})
    _complete(spec, {"revisionHistoryLimit": 10, "updateStrategy": {}})
    _template(spec)
    strategy = spec["updateStrategy"]
    _complete(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _complete(strategy, {"rollingUpdate": {}})
        _complete(strategy["rollingUpdate"], {"maxUnavailable": 1})


def _job(item: Object) -> None:
    spec = item.setdefault("spec", {})
    _complete(spec, {"parallelism": 1, "completions": 1, "backoffLimit": 6})
    _template(spec)


def _service(item: Object) -> None:
    spec = item.setdefault("spec", {})
    _complete(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    key = f"{item['metadata'].get('namespace')}/{item['metadata'].get('name')}"
    digest = hashlib.sha256(key.encode()).digest()
    _complete(spec, {"clusterIP": f"10.96.{digest[0]}.{digest[1] or 1}"})
    for port in spec.get("ports") or ():
        _complete(port, {"protocol": "TCP", "targetPort": port.get("port")})


def _quota(item: Object) -> None:
    hard = (item.get("spec") or {}).get("hard") or {}
    item["status"] = {**(item.get("status") or {}), "hard": hard}


def _autoscaler(item: Object) -> None:
    _complete(item.setdefault("spec", {}), {"minReplicas": 1})


def _namespace(item: Object) -> None:
    _complete(item, {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})


FILLERS: Mapping[str, Callable[[Object], None]] = {
    "namespaces": _namespace,
    "resourcequotas": _quota,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "customresourcedefinitions.apiextensions.k8s.io": definitions.establish,
    "pods": _pod,
    "services": _service,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
}
