"""The kinds that run pods: where each keeps its pod template, and the patches that change it.

Pure functions over the API's JSON. Patches of built-in kinds are strategic merges: containers are
merged by name and annotations by key, so that what a patch does not name stays as it is. Custom
kinds know JSON merges only, which replace lists: their patches repeat all containers as they are.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from webhook_drivers.kubernetes.api.client import MERGE, STRATEGIC_MERGE
from webhook_drivers.kubernetes.api.resources import Json, Resource

LISTS = (("initContainers", True), ("containers", False))


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind: the path of its pod template, and the field of its rolling settings, if any.

    Attributes:
        custom: a custom kind; only its pod template is known.
    """

    resource: Resource
    template: tuple[str, ...] = ("spec", "template")
    strategy: str | None = None
    custom: bool = False

    @property
    def patch_type(self) -> str:
        return MERGE if self.custom else STRATEGIC_MERGE


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
        for key, init in LISTS
        for item in spec.get(key) or ()
    )


def template_annotation(workload: Workload, obj: Json, key: str) -> str | None:
    """One annotation of the pod template."""
    return annotation(pod_template(workload, obj), key)


def annotation(obj: Json, key: str) -> str | None:
    """One annotation of an object or template."""
    value = dig(obj, "metadata", "annotations").get(key)
    return value if isinstance(value, str) else None


def from_cache(
    workload: Workload, obj: Json, before: Mapping[str, str], after: Mapping[str, str]
) -> str:
    """The sentence for a tag that was pushed again, where nodes may start the image they have.

    https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy

    Args:
        before, after: the images of the containers of a push, by name.
    """
    spec = dig(pod_template(workload, obj), "spec")
    for item in (item for key, _ in LISTS for item in spec.get(key) or ()):
        name, policy = item.get("name"), item.get("imagePullPolicy")
        again = name in after and before.get(name) == after[name] and "@" not in after[name]
        if again and policy in ("IfNotPresent", "Never"):
            return (
                f"Container {name} has imagePullPolicy {policy}, and its tag was pushed again "
                "without a digest: nodes that have the old image start it again. Let the receiver "
                "deploy digests (`registry.resolve`, and `pin`), or set imagePullPolicy: Always."
            )
    return ""


def is_owned(obj: Json, uid: object) -> bool:
    """Whether the object of this uid is an owner of another one."""
    owners = dig(obj, "metadata").get("ownerReferences") or ()
    return any(owner.get("uid") == uid for owner in owners)


def image_patch(
    workload: Workload,
    obj: Json,
    images: tuple[Container, ...],
    template_annotations: Mapping[str, str | None] | None = None,
) -> Json:
    """The patch that gives containers these images; an annotation of None is removed."""
    lists = _merged_lists if workload.custom else _named_lists
    template: Json = {"spec": lists(dig(pod_template(workload, obj), "spec"), images)}
    if template_annotations:
        template["metadata"] = {"annotations": dict(template_annotations)}
    return reduce(lambda inner, key: {key: inner}, reversed(workload.template), template)


def _named_lists(_: Json, images: Sequence[Container]) -> Json:
    return {
        key: [{"name": item.name, "image": item.image} for item in found]
        for key, init in LISTS
        if (found := [item for item in images if item.init == init])
    }


def _merged_lists(spec: Json, images: Sequence[Container]) -> Json:
    new = {(item.init, item.name): {"image": item.image} for item in images}
    changed = {item.init for item in images}
    return {
        key: [{**item, **new.get((init, item.get("name")), {})} for item in spec.get(key) or ()]
        for key, init in LISTS
        if init in changed
    }


def with_metadata(patch: Json, version: str | None, annotations: Mapping[str, str | None]) -> Json:
    """The patch under the precondition that the object still has this resourceVersion."""
    metadata: Json = {"annotations": dict(annotations)}
    if version:
        metadata["resourceVersion"] = version
    return {**patch, "metadata": metadata}


def with_spec(patch: Json, spec: Mapping[str, object]) -> Json:
    """The patch that sets these fields of the spec too."""
    return {**patch, "spec": {**patch.get("spec", {}), **spec}} if spec else patch


def dig(obj: Any, *path: str) -> Json:
    """Follow a path through objects; an empty object where anything on it is missing."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}
