"""Who an object is: what a write must agree with, and what it can not change."""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.testing.fake_cluster.api.paths import ApiPath
from webhook_service.testing.fake_cluster.api.statuses import (
    ApiError,
    bad_request,
    conflict,
    wrong_uid,
)
from webhook_service.testing.fake_cluster.objects.objects import clone
from webhook_service.testing.fake_cluster.objects.resources import Object


def addressed(target: ApiPath, body: Object) -> Object:
    """``body`` with the kind and the namespace of the path; they must not disagree with it."""
    resource, item = target.resource, clone(body)
    if not target.resource.namespaced and not item:
        raise bad_request("the body is empty")
    for field, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if item.setdefault(field, expected) != expected:
            message = f"the {field} in the data ({item[field]}) does not match the expected"
            raise bad_request(f"{message} {field} ({expected})")
    metadata = item.setdefault("metadata", {})
    if (
        resource.namespaced
        and metadata.setdefault("namespace", target.namespace) != target.namespace
    ):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if target.name and metadata.setdefault("name", target.name) != target.name:
        raise misnamed(metadata["name"], target.name)
    return item


def check_preconditions(target: ApiPath, item: Object, expected: Mapping[str, str]) -> None:
    """Refuses to delete another object than the one that was meant."""
    metadata = item["metadata"]
    if expected.get("uid", metadata["uid"]) != metadata["uid"]:
        raise wrong_uid(target.resource, target.name, expected["uid"], metadata["uid"])
    if expected.get("resourceVersion", metadata["resourceVersion"]) != metadata["resourceVersion"]:
        raise conflict(target.resource, target.name)


def check_version(target: ApiPath, old: Object, metadata: Object) -> None:
    """Refuses a write that was made for an earlier state."""
    stored = old["metadata"]
    if metadata.get("resourceVersion") not in (None, "", stored["resourceVersion"]):
        raise conflict(target.resource, target.name)
    if metadata.get("uid") not in (None, "", stored["uid"]):
        why = (
            f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
            f"{stored['uid']}"
        )
        raise conflict(target.resource, target.name, why)


def misnamed(name: str | None, expected: str) -> ApiError:
    """400: body and path disagree."""
    return bad_request(
        f"the name of the object ({name}) does not match the name on the URL ({expected})"
    )


def keep_identity(target: ApiPath, old: Object, new: Object) -> None:
    """Gives ``new``, in place, what no write changes."""
    for field in ("apiVersion", "kind"):
        new[field] = old[field]
    metadata = new.setdefault("metadata", {})
    if metadata.setdefault("name", target.name) != target.name:
        raise misnamed(metadata["name"], target.name)
    for field in ("namespace", "uid", "creationTimestamp", "generation", "resourceVersion"):
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
    if "deletionTimestamp" in old["metadata"]:
        metadata["deletionTimestamp"] = old["metadata"]["deletionTimestamp"]
    else:
        metadata.pop("deletionTimestamp", None)


def without_owner(child: Object, uid: str) -> Object:
    """``child`` after its owner was deleted and left it behind."""
    owners = [owner for owner in child["metadata"]["ownerReferences"] if owner["uid"] != uid]
    metadata = {key: value for key, value in child["metadata"].items() if key != "ownerReferences"}
    return {**child, "metadata": metadata | ({"ownerReferences": owners} if owners else {})}
