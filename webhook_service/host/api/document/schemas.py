"""Schemas: what a client can send and read, in Rancher's form, from the drivers' configs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from webhook_service.driver import DriverConfig, WebhookDriver
from webhook_service.errors import PluginUnavailable
from webhook_service.host.http.links import PREFIX, Links
from webhook_service.model.receiver import config_field
from webhook_service.plugins.boundary import guarded, storable_json
from webhook_service.plugins.discovery import Plugins

Json = dict[str, Any]

_SCALARS = {"string": "string", "integer": "int", "boolean": "bool", "number": "float"}
_RESOURCE: Json = {
    "actions": {"type": "map[string]"},
    "id": {"type": "string"},
    "links": {"type": "map[string]"},
    "type": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema before it has links; a collection's path makes it one of listed resources."""

    id: str
    fields: Json
    methods: tuple[str, ...] = ("GET",)
    path: str | None = None
    collection_methods: tuple[str, ...] = ("GET",)
    extra: Json = field(default_factory=dict)

    def as_json(self, links: Links) -> Json:
        """The schema as it is sent."""
        found: Json = {
            "type": "schema",
            "id": self.id,
            "pluralName": f"{self.id}s",
            "resourceMethods": list(self.methods),
            "resourceFields": self.fields,
            "links": {"self": links.bare(f"{PREFIX}/schemas/{self.id}")},
            "actions": {},
            **self.extra,
        }
        if self.path is not None:
            found["pluralName"] = self.path
            found["collectionMethods"] = list(self.collection_methods)
            found["links"]["collection"] = links.bare(f"{PREFIX}/{self.path.lower()}")
        return found


def schemas(drivers: Plugins[WebhookDriver[Any, Any]]) -> list[Schema]:
    """All schemas, those of third-party drivers too."""
    configs = {plugin.name: plugin.target.Config for plugin in drivers if plugin.target}
    return [_receiver(list(configs)), *_driver_schemas(configs), *_FIXED]


def _driver_schemas(configs: Mapping[str, type[DriverConfig]]) -> Iterator[Schema]:
    for name, config in configs.items():
        # It is left out, and the log says why.
        with (
            suppress(PluginUnavailable),
            guarded(f"The JSON Schema of the driver {name}", PluginUnavailable, ()),
        ):
            yield from _config_schemas(name, config)


@lru_cache(maxsize=1000)
def _config_schemas(name: str, config: type[DriverConfig]) -> tuple[Schema, ...]:
    """The driver's schema, and those of the objects inside its config."""
    whole = dict(storable_json(config.model_json_schema(by_alias=True), "schema"))
    reader = _Reader(name, whole.get("$defs", {}))
    fields = reader.fields(whole)
    fields["type"] = {"type": "string", "create": True}
    nested = [Schema(id_, found) for id_, found in reader.nested.items()]
    return Schema(name, fields, extra={"jsonSchema": whole}), *nested


class _Reader:
    """Turns JSON Schema into resource fields; ``nested`` collects the objects met on the way."""

    def __init__(self, driver: str, definitions: Mapping[str, Json]) -> None:
        self._driver = driver
        self._definitions = definitions
        self.nested: dict[str, Json] = {}

    def fields(self, schema: Json) -> Json:
        return {name: self._field(found) for name, found in schema.get("properties", {}).items()}

    def _field(self, schema: Json) -> Json:
        bare = self._resolve(schema)
        found: Json = {"type": self._type(schema), "create": True}
        if found["type"] == "enum":
            found["options"] = bare.get("enum") or [bare["const"]]
        default = schema.get("default")
        if isinstance(default, int | float | str) and default != "":
            found["default"] = default
        for theirs, ours in (("minimum", "min"), ("maximum", "max")):
            if theirs in bare:
                found[ours] = bare[theirs]
        if description := schema.get("description"):
            found["description"] = description
        return found

    def _resolve(self, schema: Json) -> Json:
        """What a field is when it is not null."""
        options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
        if len(options) == 1:
            return self._resolve(options[0])
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return {**self._definitions[name], "$name": name}
        return schema

    def _type(self, schema: Json) -> str:
        bare = self._resolve(schema)
        kind = bare.get("type")
        if bare.get("format") == "password":
            return "password"
        if "enum" in bare or "const" in bare:
            return "enum"
        if options := bare.get("anyOf"):
            return "string" if any(option.get("type") == "string" for option in options) else "json"
        if kind == "array":
            return f"array[{self._type(bare.get('items', {}))}]"
        if kind == "object" and "properties" in bare:
            return self._object(bare)
        if kind == "object":
            values = bare.get("additionalProperties")
            return f"map[{self._type(values) if isinstance(values, dict) else 'json'}]"
        return _SCALARS.get(str(kind), "json")

    def _object(self, bare: Json) -> str:
        name = bare.get("$name", bare.get("title", "Object"))
        id_ = f"{self._driver}{name}"
        if id_ not in self.nested:
            self.nested[id_] = {}  # before its fields are read, for it may contain itself
            self.nested[id_].update(self.fields(bare))
        return id_


def _receiver(drivers: list[str]) -> Schema:
    fields: Json = {
        **_RESOURCE,
        "name": {"type": "string", "create": True},
        "labels": {"type": "json", "create": True},
        "driver": {"type": "enum", "create": True, "options": drivers},
        "state": {"type": "string"},
        "url": {"type": "string"},
        "source": {"type": "json", "create": True},
        "registry": {"type": "json", "create": True},
        "approval": {"type": "json", "create": True},
        "match": {"type": "json", "create": True},
        "listen": {"type": "json", "create": True},
        "verify": {"type": "json", "create": True},
        "respond": {"type": "enum", "create": True, "options": ["accepted", "outcome"]},
        "problem": {"type": "string"},
        "created": {"type": "date"},
        "updated": {"type": "date"},
        **{config_field(name): {"type": name, "create": True} for name in drivers},
    }
    return Schema("receiver", fields, ("GET", "PUT", "DELETE"), "receivers", ("GET", "POST"))


def _fields(**types: str) -> Json:
    return {**_RESOURCE, **{name: {"type": type_} for name, type_ in types.items()}}


_FIXED = [
    Schema(
        "delivery",
        _fields(
            projectId="string",
            receiver="reference[receiver]",
            state="string",
            reason="string",
            items="array[json]",
            executions="array[reference[execution]]",
            duplicateOf="reference[delivery]",
            received="date",
            client="string",
            refusal="json",
        ),
        path="deliveries",
    ),
    Schema(
        "execution",
        _fields(
            projectId="string",
            receiver="reference[receiver]",
            delivery="reference[delivery]",
            driver="string",
            slot="string",
            state="string",
            reason="string",
            message="string",
            event="json",
            changes="array[json]",
            attempts="array[json]",
            supersededBy="reference[execution]",
            rollsBack="string",
            replayOf="reference[execution]",
            requestedBy="string",
            interruption="string",
            interruptedBy="string",
            letThrough="string",
            approval="json",
            created="date",
            due="date",
            finished="date",
        ),
        path="executions",
    ),
    Schema(
        "revision",
        _fields(
            image="string",
            slot="string",
            state="string",
            live="bool",
            held="bool",
            standing="string",
            note="string",
            changed="date",
            finished="date",
            by="string",
            rollsBack="string",
            replayOf="reference[execution]",
        ),
    ),
    Schema(
        "auditEntry",
        _fields(
            projectId="string",
            at="date",
            actor="string",
            via="string",
            address="string",
            action="string",
            subject="string",
            receiver="reference[receiver]",
            changes="array[json]",
        ),
        path="audit",
    ),
    Schema("apiVersion", _fields(), path="apiVersions"),
    Schema(
        "schema",
        _fields(
            pluralName="string",
            resourceMethods="array[string]",
            resourceFields="map[string]",
            resourceActions="map[string]",
            collectionMethods="array[string]",
            collectionFields="map[string]",
            collectionActions="map[string]",
            collectionFilters="map[string]",
            includeableLinks="array[string]",
        ),
        path="schemas",
    ),
    Schema(
        "error",
        _fields(status="string", statusCode="int", code="string", message="string"),
        path="errors",
    ),
]
