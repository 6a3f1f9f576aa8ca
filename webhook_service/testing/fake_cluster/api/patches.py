"""The patch formats of Kubernetes: strategic merge, merge (RFC 7386), JSON patch (RFC 6902)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from webhook_service.testing.fake_cluster.api.statuses import ApiError, bad_request
from webhook_service.testing.fake_cluster.objects.resources import Object

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

# A list field that is merged, and by which key of its elements. All other lists are replaced.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
}


def strategic_merge(live: Object, patch: Object) -> Object:
    """``live`` with a strategic merge patch applied; both stay as they are.

    Raises:
        ApiError: 500, an element of a merged list lacks its key (as the real server answers).
    """
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    merged = dict(live)
    if "$retainKeys" in patch:
        merged = {key: value for key, value in live.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        _merge_field(merged, key, value)
    return _ordered(merged, patch)


def _merge_field(merged: Object, key: str, value: Any) -> None:
    if key.startswith("$deleteFromPrimitiveList/"):
        field = key.partition("/")[2]
        merged[field] = [item for item in merged.get(field) or () if item not in value]
    elif key.startswith("$"):
        return
    elif value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        live = merged.get(key)
        merged[key] = strategic_merge(live if isinstance(live, dict) else {}, value)
    elif key == "finalizers" and isinstance(value, list):
        merged[key] = list(dict.fromkeys([*(merged.get(key) or ()), *value]))
    elif isinstance(value, list) and (merge_key := _merge_key(key, value, merged.get(key))):
        merged[key] = _merge_list(merged.get(key) or [], value, merge_key)
    else:
        merged[key] = value


def _merge_key(field: str, patch: list[Any], live: Any) -> str | None:
    elements = [item for item in (*patch, *(live or ())) if isinstance(item, dict)]
    if field != "ports":
        return MERGE_KEYS.get(field)
    # A container's ports and a Service's ports have different keys.
    return "containerPort" if any("containerPort" in item for item in elements) else "port"


def _merge_list(live: Sequence[Object], patch: Sequence[Object], key: str) -> list[Object]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    merged = list(live)
    for item in patch:
        if key not in item:
            shown = " ".join(f"{field}:{value}" for field, value in sorted(item.items()))
            message = f"map: map[{shown}] does not contain declared merge key: {key}"
            raise ApiError(500, "", message)
        index = next((i for i, old in enumerate(merged) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            merged = [old for old in merged if old.get(key) != item[key]]
        elif index is None:
            merged.append(strategic_merge({}, item))
        else:
            merged[index] = strategic_merge(merged[index], item)
    return merged


def _ordered(merged: Object, patch: Object) -> Object:
    """Applies ``$setElementOrder/<field>``, which kubectl sends with every list."""
    for directive, order in patch.items():
        field = directive.partition("/")[2]
        key = MERGE_KEYS.get(field)
        if directive.startswith("$setElementOrder/") and key and merged.get(field):
            rank = {item.get(key): position for position, item in enumerate(order)}
            merged[field] = sorted(merged[field], key=lambda item: rank.get(item[key], len(rank)))
    return merged


def merge(live: Any, patch: Any) -> Any:
    """``live`` with an RFC 7386 merge patch applied; both stay as they are."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def json_patch(live: Object, operations: Any) -> Object:
    """``live`` with an RFC 6902 patch applied; ``live`` stays as it is.

    Raises:
        ApiError: 400 for what is no patch, 422 for an operation that does not apply.
    """
    if not isinstance(operations, list) or not all(isinstance(op, dict) for op in operations):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document = json.loads(json.dumps(live))
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as exc:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(422, "Invalid", message, {}) from exc
    result: Object = document
    return result


def _operate(document: Any, operation: Object) -> Any:
    name, path = operation["op"], _pointer(operation["path"])
    if name in ("move", "copy"):
        source = _pointer(operation["from"])
        value = json.loads(json.dumps(_at(document, source)))
        if name == "move":
            _remove(document, source)
        return _add(document, path, value)
    if name == "add":
        return _add(document, path, operation["value"])
    if name == "test":
        # The real server takes a missing member as null.
        parent = _at(document, path[:-1])
        missing = isinstance(parent, dict) and path and path[-1] not in parent
        if (None if missing else _at(document, path)) != operation["value"]:
            raise ValueError(f"testing value {operation['path']} failed")
        return document
    if name not in ("remove", "replace"):
        raise ValueError(f"unexpected kind: {name}")
    _remove(document, path)
    return _add(document, path, operation["value"]) if name == "replace" else document


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"not a JSON pointer: {text}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _remove(document: Any, path: Sequence[str]) -> None:
    parent = _at(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last != "-" and int(last) > len(parent):
        raise IndexError(last)
    else:
        parent.insert(len(parent) if last == "-" else int(last), value)
    return document
