"""JSON Schemas as custom resources take them: structural ones.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema

What such a schema cannot say is left out: the service checks it all, and the resource then says
what is wrong. Defaults are left out too, as the service applies its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook_service.model.receiver_document import SECRET_REF

Json = dict[str, Any]

ANYTHING: Json = {"x-kubernetes-preserve-unknown-fields": True}
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
SECRET: Json = {
    "type": "object",
    "description": "A key of a Secret in the same namespace.",
    "required": [SECRET_REF],
    "properties": {
        SECRET_REF: {
            "type": "object",
            "required": ["name", "key"],
            "properties": {"name": _NAME, "key": _NAME},
        }
    },
}
_KEPT = (
    *("type", "description", "enum", "format", "pattern", "minLength", "maxLength", "minimum"),
    *("maximum", "minItems", "maxItems", "minProperties", "maxProperties"),
)


def structural(schema: Json, definitions: Mapping[str, Json] | None = None) -> Json:
    """A JSON Schema of pydantic as a structural one.

    Args:
        definitions: what its references name; by default its own.
    """
    known = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        found = known[schema["$ref"].rpartition("/")[2]]
        return structural({**found, **_without(schema, "$ref")}, known)
    if schema.get("writeOnly"):
        return {**SECRET, "description": schema.get("description", SECRET["description"])}
    if "type" not in schema and (choices := schema.get("anyOf") or schema.get("oneOf")):
        return _one_of(schema, choices, known)
    kept = {name: schema[name] for name in _KEPT if name in schema}
    if "description" in kept:
        kept["description"] = _summary(kept["description"])
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if kept.get("type") == "array":
        kept["items"] = structural(schema.get("items", {}), known)
    if kept.get("type") == "object":
        kept |= _fields(schema, known)
    return kept if "type" in kept else {**kept, **ANYTHING}


def _one_of(schema: Json, choices: Sequence[Json], known: Mapping[str, Json]) -> Json:
    """A field that may be of several kinds."""
    found = [structural(choice, known) for choice in choices if choice.get("type") != "null"]
    about: Json = {}
    if "description" in schema:
        about["description"] = _summary(schema["description"])
    if len(found) < len(choices):
        about["nullable"] = True
    types = {str(each.get("type")) for each in found}
    if len(found) == 1:
        return {**found[0], **about}
    if types == {"integer", "string"}:
        return {"x-kubernetes-int-or-string": True, **about}
    if types == {"object"}:
        return {**_merged(found), **about}
    return {**ANYTHING, **about}


def _fields(schema: Json, known: Mapping[str, Json]) -> Json:
    fields = {name: structural(each, known) for name, each in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties")
    if not fields:
        values = others if isinstance(others, dict) else next(_patterns(schema), None)
        return ANYTHING if values is None else {"additionalProperties": structural(values, known)}
    found: Json = {"properties": fields}
    if schema.get("required"):
        found["required"] = schema["required"]
    return {**found, **ANYTHING} if others else found


def _patterns(schema: Json) -> Any:
    return iter(schema.get("patternProperties", {}).values())


def _merged(objects: Sequence[Json]) -> Json:
    """One object that any of some objects is; what they all need is needed."""
    fields: Json = {}
    for each in objects:
        for name, field in each.get("properties", {}).items():
            fields[name] = _either(fields.get(name, field), field)
    needed = set.intersection(*[set(each.get("required", ())) for each in objects])
    found: Json = {"type": "object", "properties": fields}
    return {**found, "required": sorted(needed)} if needed else found


def _either(one: Json, other: Json) -> Json:
    if _without(one, "description") == _without(other, "description"):
        return one
    if "enum" in one and "enum" in other and one.get("type") == other.get("type"):
        enum = list(dict.fromkeys([*one["enum"], *other["enum"]]))
        return {**_without(one, "description"), "enum": enum}
    if one.get("type") != other.get("type") or "properties" in one:
        return ANYTHING
    # The same kind of value within other limits.
    return {name: value for name, value in one.items() if other.get(name) == value}


def _summary(description: str) -> str:
    return description.partition("\n\n")[0].replace("\n", " ")


def _without(schema: Json, name: str) -> Json:
    return {key: value for key, value in schema.items() if key != name}
