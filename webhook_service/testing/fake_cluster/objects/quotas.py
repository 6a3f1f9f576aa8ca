"""Quotas on how many objects a namespace may hold, as the API server enforces them."""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.testing.fake_cluster.api.statuses import ApiError
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore
from webhook_service.testing.fake_cluster.objects.resources import PODS, QUOTAS, Object, Resource

# These go by their bare name too.
COUNTED = ("pods", "services", "configmaps", "resourcequotas")


def check(store: ObjectStore, resource: Resource, item: Object) -> None:
    """Refuses one object too many.

    Raises:
        ApiError: 403, in the words of the real server.
    """
    namespace, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
    for quota in store.all(QUOTAS, namespace) if namespace else ():
        for key in _keys(resource):
            limit = ((quota.get("spec") or {}).get("hard") or {}).get(key)
            used = _used(store, resource, namespace)
            if limit is not None and used >= int(limit):
                message = (
                    f'{resource.qualified} "{name}" is forbidden: exceeded quota: '
                    f"{quota['metadata']['name']}, requested: {key}=1, used: {key}={used}, "
                    f"limited: {key}={limit}"
                )
                details = {"name": name, "group": resource.group, "kind": resource.plural}
                shown = {field: value for field, value in details.items() if value}
                raise ApiError(403, "Forbidden", message, shown)


def _keys(resource: Resource) -> Iterator[str]:
    yield f"count/{resource.qualified}"
    if resource.qualified in COUNTED:
        yield resource.plural


def _used(store: ObjectStore, resource: Resource, namespace: str) -> int:
    """How many there are; pods that have ended do not count."""
    items = store.all(resource, namespace)
    if resource is not PODS:
        return len(items)
    ended = ("Succeeded", "Failed")
    return sum((item.get("status") or {}).get("phase") not in ended for item in items)
