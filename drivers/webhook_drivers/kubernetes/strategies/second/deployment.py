"""A second Deployment beside the one that people own: the same pods, and one label more. Pure.

People's own Deployment is never replaced: the second one is made for a push and goes away after it.
Its selector has the label too, so neither controller takes the other's pods for its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.push_record import PUSH, read
from webhook_drivers.kubernetes.images.rollout import is_seen, number
from webhook_drivers.kubernetes.images.workloads import (
    WORKLOADS,
    annotation,
    containers,
    dig,
    is_owned,
    template_annotation,
)
from webhook_service import DriverError, Retry

DEPLOYMENT = WORKLOADS["Deployment"]
COLOR = "webhook-service.io/color"
GREEN, CANARY = "green", "canary"
"""The colours: the second Deployment of a switch, and that of a growing share."""
HASH = "pod-template-hash"
REPOSITORY = "webhook-service.io/repository"
"""On the second Deployment: whose push it was made for."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "webhook-service"}
MAX_NAME = 253
NOT_COPIED = ("replicas", "selector", "template", "paused")


def address(main: Address, color: str) -> Address:
    """Where the second Deployment is; the name follows from the first one's."""
    suffix = f"-{color}"
    return Address(main.resource, main.namespace, main.name[: MAX_NAME - len(suffix)] + suffix)


def made_of(
    main: Json, where: Address, color: str, repository: str, images: Mapping[str, str], push: str
) -> Json:
    """The second Deployment, without pods yet.

    Its pods are those of the first byte for byte, but for the images (by container), the
    annotation that names the push, and the label of the colour. Labels of the Deployment itself
    are not copied: tools find by them what they manage, and would remove it.
    """
    spec = copy.deepcopy(main["spec"])
    template, metadata = spec["template"], main["metadata"]
    labelled = template.setdefault("metadata", {})
    labelled["labels"] = {**(labelled.get("labels") or {}), COLOR: color}
    if push:
        labelled["annotations"] = {**(labelled.get("annotations") or {}), PUSH: push}
    for container in _containers(template):
        container["image"] = images.get(container["name"], container["image"])
    selector = spec["selector"]
    matched = {**(selector.get("matchLabels") or {}), COLOR: color}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]}
    rest = {key: value for key, value in spec.items() if key not in NOT_COPIED}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": where.name,
            "namespace": where.namespace,
            "labels": {COLOR: color, **MANAGED_BY},
            "annotations": {REPOSITORY: repository},
            # If people delete theirs, nothing of ours stays.
            "ownerReferences": [{**owner, "uid": metadata["uid"]}],
        },
        "spec": {
            **rest,
            "replicas": 0,
            "selector": {**selector, "matchLabels": matched},
            "template": template,
        },
    }


def refuse_foreign(second: Json | None, where: Address, repository: str) -> None:
    """
    Raises:
        DriverError: somebody else made an object of this name.
        Retry: the push of another repository uses it now.
    """
    if second is None:
        return
    if COLOR not in labels_of_pods(second):
        raise DriverError(
            f"{where} exists already and is not of webhook-service: rename it.",
            code="name_taken",
        )
    other = annotation(second, REPOSITORY)
    if other != repository:
        raise Retry(f"{where} is in use by a push of {other}: this one waits for its end.")


def runs(obj: Json, images: Mapping[str, str], push: str) -> bool:
    """Whether containers have these images, and the pods name this push where one must be named."""
    found = {item.name: item.image for item in containers(DEPLOYMENT, obj)}
    same = all(found.get(name) == image for name, image in images.items())
    return same and (not push or template_annotation(DEPLOYMENT, obj, PUSH) == push)


def pushed_names(main: Json) -> frozenset[str]:
    """The containers that pushes have changed, of whatever repository."""
    return frozenset(name for record in read(main).values() for name in record.previous)


def images_of(obj: Json, names: Iterable[str]) -> dict[str, str]:
    known = {item.name: item.image for item in containers(DEPLOYMENT, obj)}
    return {name: known[name] for name in names if name in known}


def template_patch(
    obj: Json, images: Mapping[str, str], annotations: Mapping[str, str | None]
) -> Json:
    """The strategic merge that gives a Deployment's pods these images and annotations."""
    spec: dict[str, Any] = {}
    for item in containers(DEPLOYMENT, obj):
        if item.name in images:
            key = "initContainers" if item.init else "containers"
            spec.setdefault(key, []).append({"name": item.name, "image": images[item.name]})
    return {"spec": spec, "metadata": {"annotations": dict(annotations)}}


def as_serving(main: Json, second: Json) -> Json:
    """The first Deployment with the pods of the second: what serves while its Service is moved.

    Who wrote the template is what the second says.
    """
    template = copy.deepcopy(second["spec"]["template"])
    template["metadata"]["labels"].pop(COLOR, None)
    writers = {"managedFields": second["metadata"].get("managedFields") or []}
    return {
        **main,
        "metadata": {**main["metadata"], **writers},
        "spec": {**main["spec"], "template": template},
    }


def labels_of_pods(obj: Json) -> Json:
    return dig(obj, "spec", "template", "metadata", "labels")


def of(main: Json, found: Json | None) -> tuple[Json | None, Json | None]:
    """What is at the second's address: the second of this very Deployment, or a stray one.

    A stray one is ours too, and was made for a Deployment that people have deleted since. One that
    is not ours is given as the second: `refuse_foreign` says so.
    """
    if found is None or COLOR not in labels_of_pods(found):
        return found, None
    return (found, None) if is_owned(found, main["metadata"]["uid"]) else (None, found)


def wanted(obj: Json) -> int:
    return number(obj.get("spec"), "replicas", 1)


def is_empty(obj: Json) -> bool:
    """Whether no pod of it is left, and none is wanted."""
    return not wanted(obj) and is_seen(obj) and not number(obj.get("status"), "replicas")


def pods_of(main: Json, more: Mapping[str, str]) -> str:
    """The label selector of the pods of one colour."""
    return pod_selector.as_text(pod_selector.of(main), more)


def refusal(obj: Json) -> str:
    """Why a Deployment may not have its pods; empty if it may."""
    for condition in dig(obj, "status").get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message"))[:256]
    return ""


def refuse_unplaced(obj: Json, where: Address) -> None:
    """
    Raises:
        DriverError: its pods may not be created; as a rule a quota has no room for them.
    """
    if said := refusal(obj):
        raise DriverError(
            f"There is no room for a second set of pods: {where} cannot have its "
            f"{wanted(obj)} pods ({said}).",
            code="no_room",
        )


def _containers(template: Json) -> Iterable[Json]:
    spec = template["spec"]
    return (*(spec.get("initContainers") or ()), *spec["containers"])
