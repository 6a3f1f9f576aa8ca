"""``metadata.managedFields``: who wrote which field of a spec last, as the server notes it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from webhook_service.testing.fake_cluster.objects.objects import timestamp
from webhook_service.testing.fake_cluster.objects.resources import Object, Resource

Path = tuple[str, ...]


def note(resource: Resource, old: Object | None, new: Object, manager: str) -> None:
    """Write into ``new`` that this manager has changed its spec; of workloads only."""
    if not manager or not resource.generation:
        return
    before = dict(_leaves((old or {}).get("spec"), ("f:spec",)))
    after = dict(_leaves(new.get("spec"), ("f:spec",)))
    mine = {path for path, value in after.items() if before.get(path) != value}
    if not mine:
        return
    kept: dict[str, Object] = {}
    for entry in (old or {}).get("metadata", {}).get("managedFields") or ():
        left = [path for path in _paths(entry["fieldsV1"]) if path in after and path not in mine]
        if entry["manager"] == manager:
            mine.update(left)
        elif left:
            kept[entry["manager"]] = {**entry, "fieldsV1": _tree(left)}
    head = {"manager": manager, "operation": "Update", "apiVersion": resource.api_version}
    last = {**head, "time": timestamp(), "fieldsType": "FieldsV1", "fieldsV1": _tree(sorted(mine))}
    new["metadata"]["managedFields"] = [*kept.values(), last]


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    named = isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value)
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, f"f:{key}"))
    elif isinstance(value, list) and value and named:
        for item in value:
            key = json.dumps({"name": item["name"]}, separators=(",", ":"))
            yield from _leaves(item, (*path, f"k:{key}"))
    else:
        yield path, value


def _paths(tree: Object, path: Path = ()) -> Iterator[Path]:
    for key, inner in tree.items():
        if inner:
            yield from _paths(inner, (*path, key))
        else:
            yield (*path, key)


def _tree(paths: list[Path]) -> Object:
    tree: Object = {}
    for path in paths:
        node = tree
        for key in path:
            node = node.setdefault(key, {})
    return tree
