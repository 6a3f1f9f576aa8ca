"""The schemas of receiver bodies: one variant for each installed driver, chosen by ``driver``."""

from __future__ import annotations

import json
from typing import Any

from webhook_service.driver import WebhookDriver
from webhook_service.host.wire import schema_of
from webhook_service.model.receiver import config_field
from webhook_service.plugins.discovery import Plugins
from webhook_service.receiving.v16.body import NEWER

Json = dict[str, Any]

REF = "#/components/schemas/"


def receiver_bodies(fields: Json, drivers: Plugins[WebhookDriver[Any, Any]]) -> Json:
    """The schemas ``ReceiverCreate`` and ``ReceiverUpdate``, and all that they refer to.

    Args:
        fields: the schema of what receivers of all drivers have.
    """
    found: Json = {}
    variants = {}
    for plugin in drivers:
        if plugin.target is None:
            continue
        schema = schema_of(f"The driver {plugin.name}", plugin.target.Config)
        if schema is None:
            continue
        config = _capital(config_field(plugin.name))
        # Answers have it, as v1.6's did, and can be sent back.
        schema.setdefault("properties", {})["type"] = {"const": plugin.name}
        found |= _hoisted(config, schema)
        variants[plugin.name] = f"{_capital(plugin.name)}Receiver"
        found[variants[plugin.name]] = _variant(fields, plugin.name, found[config])
    found["ReceiverCreate"] = {
        "description": "A receiver to make. The driver decides which config it has.",
        "oneOf": [{"$ref": f"{REF}{name}"} for name in variants.values()],
        "discriminator": {
            "propertyName": "driver",
            "mapping": {driver: f"{REF}{name}" for driver, name in variants.items()},
        },
    }
    found["ReceiverUpdate"] = _update(fields, list(variants))
    return found


def _variant(fields: Json, driver: str, config: Json) -> Json:
    needed = ["name", "driver", *([config_field(driver)] if config.get("required") else [])]
    properties = {
        "driver": {"const": driver, "type": "string", "description": "What to do on a push."},
        config_field(driver): {"$ref": f"{REF}{_capital(config_field(driver))}"},
    }
    return {
        "type": "object",
        "title": f"Receiver with {driver}",
        "description": fields["description"],
        "properties": {**fields["properties"], **properties},
        "required": needed,
        # A plain body of v1.6 knows nothing of verification; any other must say it.
        "dependentRequired": {part: ["verify"] for part in NEWER if part != "verify"},
    }


def _update(fields: Json, drivers: list[str]) -> Json:
    configs = {
        config_field(driver): {
            "anyOf": [
                {"$ref": f"{REF}{_capital(config_field(driver))}"},
                {"type": "object", "maxProperties": 0},
            ]
        }
        for driver in drivers
    }
    return {
        "type": "object",
        "title": "Receiver update",
        "description": "What to change: objects merge field by field, null removes, lists and the "
        "driver's config are replaced.",
        "properties": {
            **fields["properties"],
            "driver": {"type": "string", "enum": drivers, "description": "What to do on a push."},
            **configs,
        },
    }


def _hoisted(name: str, schema: Json) -> Json:
    """A schema and its definitions, which get names of their own: drivers may have equal ones."""
    definitions = schema.pop("$defs", {})
    text = json.dumps({name: schema, **{f"{name}{own}": item for own, item in definitions.items()}})
    for own in definitions:
        text = text.replace(f'"#/$defs/{own}"', f'"{REF}{name}{own}"')
    found: Json = json.loads(text)
    return found


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
