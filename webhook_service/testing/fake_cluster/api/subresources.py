"""How ``/status`` and ``/scale`` present an object, and what a write through them changes."""

from __future__ import annotations

from webhook_service.testing.fake_cluster.api import selectors
from webhook_service.testing.fake_cluster.objects.resources import Object

SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def present(subresource: str, item: Object) -> Object:
    """What a reader of this subresource sees."""
    if subresource != "scale":
        return item
    metadata = {key: item["metadata"][key] for key in SHOWN if key in item["metadata"]}
    status: Object = {"replicas": status_of(item).get("replicas", 0)}
    if isinstance(status_of(item).get("selector"), str):
        status["selector"] = status_of(item)["selector"]
    elif item["spec"].get("selector"):
        status["selector"] = selectors.to_text(item["spec"]["selector"])
    scale: Object = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata}
    replicas = item["spec"].get("replicas", 0)
    return scale | {"spec": {"replicas": replicas} if replicas else {}, "status": status}


def status_of(item: Object) -> Object:
    status: Object = item.get("status") or {}
    return status


def absorb(subresource: str, has_status: bool, old: Object, written: Object) -> Object:
    """The object after ``written`` was sent to this subresource."""
    if subresource == "scale":
        replicas = (written.get("spec") or {}).get("replicas", 0)
        return {**old, "spec": {**old["spec"], "replicas": replicas}}
    if subresource == "status":
        return {**old, "status": written.get("status") or {}}
    if not has_status:
        return written
    # The status belongs to the controllers: a write of the object itself leaves it alone.
    kept = {key: value for key, value in written.items() if key != "status"}
    return kept | ({"status": old["status"]} if "status" in old else {})
