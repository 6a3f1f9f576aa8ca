"""The kinds that run pods: where each keeps its pod template, and the patches that change it.

Pure functions over the API's JSON. Patches are strategic merges: containers are merged by name
and annotations by key, so that what a patch does not name stays as it is.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from webhook_drivers.kubernetes.resources import Json, Resource


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind: the path of its pod template, and the field of its rolling settings, if any."""

    resource: Resource
    template: tuple[str, ...] = ("spec", "template")
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod template with the image it is to run now."""

    name: str
    image: str
    init: bool = False

    @property
    def field(self) -> str:
        """The name of its image in changes: ``containers[app].image``."""
        return f"{'initContainers' if self.init else 'containers'}[{self.name}].image"


WORKLOADS: Mapping[str, Workload] = {
    "Deployment": Workload(
        Resource("Deployment", "apps", "v1", "deployments"), strategy="strategy"
    ),
    "StatefulSet": Workload(Resource("StatefulSet", "apps", "v1", "statefulsets")),
    "DaemonSet": Workload(
        Resource("DaemonSet", "apps", "v1", "daemonsets"), strategy="updateStrategy"
    ),
    "CronJob": Workload(
        Resource("CronJob", "batch", "v1", "cronjobs"),
        ("spec", "jobTemplate", "spec", "template"),
    ),
}


def pod_template(workload: Workload, obj: Json) -> Json:
    """The pod template of a live object; empty where a part of the path is missing."""
    return dig(obj, *workload.template)


def containers(workload: Workload, obj: Json) -> tuple[Container, ...]:
    """All init containers and containers of a live object, in its order."""
    spec = dig(pod_template(workload, obj), "spec")
    return tuple(
        Container(str(item.get("name")), str(item.get("image") or ""), init)
        for key, init in (("initContainers", True), ("containers", False))
        for item in spec.get(key) or ()
    )


def template_annotation(workload: Workload, obj: Json, key: str) -> str | None:
    """One annotation of the pod template."""
    return annotation(pod_template(workload, obj), key)


def annotation(obj: Json, key: str) -> str | None:
    """One annotation of an object or template."""
    value = dig(obj, "metadata", "annotations").get(key)
    return value if isinstance(value, str) else None


def image_patch(
    workload: Workload,
    images: tuple[Container, ...],
    template_annotations: Mapping[str, str | None] | None = None,
) -> Json:
    """The patch that gives containers these images; an annotation of None is removed."""
    spec = {
        key: [{"name": item.name, "image": item.image} for item in images if item.init == init]
        for key, init in (("initContainers", True), ("containers", False))
    }
    template: Json = {"spec": {key: items for key, items in spec.items() if items}}
    if template_annotations:
        template["metadata"] = {"annotations": dict(template_annotations)}
    return reduce(lambda inner, key: {key: inner}, reversed(workload.template), template)


def with_metadata(patch: Json, version: str | None, annotations: Mapping[str, str]) -> Json:
    """The patch under the precondition that the object still has this resourceVersion."""
    metadata: Json = {"annotations": dict(annotations)}
    if version:
        metadata["resourceVersion"] = version
    return {**patch, "metadata": metadata}


def with_rolling(workload: Workload, patch: Json, rolling: Mapping[str, int | str]) -> Json:
    """The patch that sets ``maxSurge`` and ``maxUnavailable`` of a rolling update too."""
    if not rolling or workload.strategy is None:
        return patch
    settings = {"type": "RollingUpdate", "rollingUpdate": dict(rolling)}
    return {**patch, "spec": {**patch.get("spec", {}), workload.strategy: settings}}


def dig(obj: Any, *path: str) -> Json:
    """Follow a path through objects; an empty object where anything on it is missing."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}
