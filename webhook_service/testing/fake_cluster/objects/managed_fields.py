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
    before, after = _fields(resource, old or {}), _fields(resource, new)
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


def contested(resource: Resource, old: Object, new: Object, manager: str) -> dict[str, list[str]]:
    """The fields that an apply would take from others, by their managers."""
    before, after = _fields(resource, old), _fields(resource, new)
    changed = {path for path, value in after.items() if before.get(path) != value}
    found = {
        entry["manager"]: [_shown(path) for path in _paths(entry["fieldsV1"]) if path in changed]
        for entry in old.get("metadata", {}).get("managedFields") or ()
        if entry["manager"] != manager
    }
    return {name: fields for name, fields in found.items() if fields}


def _fields(resource: Resource, obj: Object) -> dict[Path, object]:
    """The fields of a spec. A server does not know by what lists of custom kinds are keyed."""
    return dict(_leaves(obj.get("spec"), ("f:spec",), keyed=not resource.custom))


def _shown(path: Path) -> str:
    """A field as messages name it: ``.spec.template.spec.containers[name="app"].image``."""
    text = ""
    for key in path:
        kind, _, name = key.partition(":")
        text += f".{name}" if kind == "f" else f"[name={json.dumps(json.loads(name)['name'])}]"
    return text


def _leaves(value: object, path: Path, *, keyed: bool) -> Iterator[tuple[Path, object]]:
    named = isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value)
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, f"f:{key}"), keyed=keyed)
    elif isinstance(value, list) and value and named and keyed:
        for item in value:
            key = json.dumps({"name": item["name"]}, separators=(",", ":"))
            yield from _leaves(item, (*path, f"k:{key}"), keyed=keyed)
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
