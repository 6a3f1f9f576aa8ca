"""Structural schemas: which ones a definition may have, and what they let into custom resources.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema

Rules in CEL (`x-kubernetes-validations`) and formats are not looked at, and defaults not filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from webhook_service.testing.fake_cluster.api.statuses import (
    Cause,
    forbidden_change,
    required,
    wrong,
)
from webhook_service.testing.fake_cluster.objects.resources import Object

OPEN = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
# What every object has at its root, whatever its schema says.
HEADER = ("apiVersion", "kind", "metadata")
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
# Alternatives judge a value; only the schema around them says what it is.
_NOT_IN_ALTERNATIVES = ("type", "description", "default", "nullable", "additionalProperties")
_BOUNDS = (
    ("minimum", lambda value, bound: value < bound, (int, float)),
    ("maximum", lambda value, bound: value > bound, (int, float)),
    ("minLength", lambda value, bound: len(value) < bound, (str,)),
    ("maxLength", lambda value, bound: len(value) > bound, (str,)),
    ("minItems", lambda value, bound: len(value) < bound, (list,)),
    ("maxItems", lambda value, bound: len(value) > bound, (list,)),
    ("minProperties", lambda value, bound: len(value) < bound, (dict,)),
    ("maxProperties", lambda value, bound: len(value) > bound, (dict,)),
    ("pattern", lambda value, bound: not re.search(bound, value), (str,)),
)


def faults_of_definition(item: Object) -> Iterator[Cause]:
    """Why a definition is refused: each schema must be structural."""
    versions = item["spec"]["versions"]
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}].schema" if len(versions) > 1 else "spec.validation"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
            continue
        where = f"{where}.openAPIV3Schema"
        if schema.get("type") != "object":
            yield required(f"{where}.type", "must not be empty at the root")
        metadata = (schema.get("properties") or {}).get("metadata") or {}
        if {*(metadata.get("properties") or {})} - {"name", "generateName"}:
            hint = "must not specify anything other than name and generateName"
            yield forbidden_change(f"{where}.properties[metadata]", hint)
        yield from _faults(schema, where)


def _faults(schema: Object, path: str) -> Iterator[Cause]:
    if "$ref" in schema:
        yield forbidden_change(f"{path}.$ref", "$ref is not supported")
    if schema.get("uniqueItems"):
        yield forbidden_change(f"{path}.uniqueItems", "uniqueItems cannot be set to true")
    if schema.get("additionalProperties") is False:
        hint = "additionalProperties cannot be set to false"
        yield forbidden_change(f"{path}.additionalProperties", hint)
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    default = schema.get("default")
    if default is not None and [*violations(schema, default, "")]:
        yield wrong(f"{path}.default", json.dumps(default), "does not fit the schema")
    for name, choices in _alternatives(schema):
        for index, choice in enumerate(choices):
            yield from _faults_of_choice(schema, choice, f"{path}.{name}[{index}]")
    for field, child in _children(schema):
        if not (child.get("type") or child.get(OPEN) or child.get(INT_OR_STRING)):
            yield required(f"{path}.{field}.type", "must not be empty for specified object fields")
        yield from _faults(child, f"{path}.{field}")


def _faults_of_choice(schema: Object, choice: Object, path: str) -> Iterator[Cause]:
    if schema.get(INT_OR_STRING) and {*choice} == {"type"}:
        return
    for name in _NOT_IN_ALTERNATIVES:
        if name in choice:
            yield forbidden_change(f"{path}.{name}", "must be empty to be structural")
    for name in {*(choice.get("properties") or {})} - {*(schema.get("properties") or {})}:
        yield required(f"{path}.properties[{name}]", "must be specified outside, too")


def _alternatives(schema: Object) -> Iterator[tuple[str, list[Object]]]:
    for name in ("allOf", "anyOf", "oneOf"):
        if schema.get(name):
            yield name, schema[name]


def _children(schema: Object) -> Iterator[tuple[str, Object]]:
    for name, child in (schema.get("properties") or {}).items():
        yield f"properties[{name}]", child
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield name, schema[name]


def prune(schema: Object, value: Any, *, root: bool = True) -> None:
    """Drops, in place, the fields that a schema does not name."""
    if isinstance(value, list):
        for item in value:
            prune(schema.get("items") or {OPEN: True}, item, root=False)
    if not isinstance(value, dict):
        return
    named, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in [*value]:
        if root and name in HEADER:
            continue
        if name in named:
            prune(named[name], value[name], root=False)
        elif isinstance(others, dict):
            prune(others, value[name], root=False)
        elif not schema.get(OPEN) and others is not True:
            del value[name]


def violations(schema: Object, value: Any, path: str) -> Iterator[Cause]:
    """What of a value its schema refuses."""
    if value is None:
        if not schema.get("nullable") and not (schema.get(OPEN) and "type" not in schema):
            yield wrong(path, "null", f"must be of type {schema.get('type', 'object')}")
        return
    kinds = ("integer", "string") if schema.get(INT_OR_STRING) else (schema.get("type"),)
    if not any(kind is None or _is(kind, value) for kind in kinds):
        yield wrong(path, json.dumps(value), f"must be of type {' or '.join(map(str, kinds))}")
        return
    if schema.get("enum") and value not in schema["enum"]:
        choices = ", ".join(map(json.dumps, schema["enum"]))
        shown = f"Unsupported value: {json.dumps(value)}: supported values: {choices}"
        yield Cause("FieldValueNotSupported", path, shown)
    for name, exceeds, fitting in _BOUNDS:
        if name in schema and _one_of(value, fitting) and exceeds(value, schema[name]):
            yield wrong(path, json.dumps(value), f"{name} is {schema[name]}")
    for junctor, alternatives in _alternatives(schema):
        fit = sum(not [*violations(each, value, path)] for each in alternatives)
        enough = {"allOf": fit == len(alternatives), "anyOf": fit > 0, "oneOf": fit == 1}
        if not enough[junctor]:
            yield wrong(path, json.dumps(value), f"does not fit {junctor}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(schema.get("items") or {}, item, f"{path}[{index}]")
    if isinstance(value, dict):
        yield from _of_fields(schema, value, path)


def _of_fields(schema: Object, value: Object, path: str) -> Iterator[Cause]:
    named, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_under(path, name))
    for name, item in value.items():
        if name in named:
            yield from violations(named[name], item, _under(path, name))
        elif isinstance(others, dict):
            yield from violations(others, item, _under(path, name))


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is(kind: str, value: Any) -> bool:
    return _one_of(value, TYPES.get(kind, ()))


def _one_of(value: Any, types: tuple[type, ...]) -> bool:
    """Whether it has one of the types; Python takes a truth value for a number."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))
