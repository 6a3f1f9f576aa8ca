"""The definition of the custom resource, made from the drivers that are installed."""

from __future__ import annotations

from typing import Any

from webhook_service.driver import WebhookDriver
from webhook_service.host.wire import schema_of
from webhook_service.model.receiver import ReceiverSpec, config_field
from webhook_service.model.receiver_document import GROUP, KIND, VERSION
from webhook_service.operator import PLURAL
from webhook_service.operator.schema import ANYTHING, Json, structural
from webhook_service.plugins.discovery import Plugins

_TEXT = {"type": "string"}
_CONDITION: Json = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": _TEXT,
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": _TEXT,
        "message": _TEXT,
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer"},
    },
}
_STATUS: Json = {
    "type": "object",
    "description": "What the operator made of it.",
    "properties": {
        "observedGeneration": {
            "type": "integer",
            "description": "The generation of the resource that all this is about.",
        },
        "receiver": {"type": "string", "description": "The id of the receiver in the service."},
        "state": {"type": "string", "description": "Whether it acts on calls."},
        "urlSecret": {"type": "string", "description": "The Secret whose key `url` senders call."},
        "conditions": {
            "type": "array",
            "description": "Ready: the service has it as it is here. Healthy: the driver may act.",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    },
}


def receiver_definition(drivers: Plugins[WebhookDriver[Any, Any]]) -> Json:
    """The CustomResourceDefinition, as ``kubectl apply`` takes it."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            _column("Driver", ".spec.driver"),
            _column("State", ".status.state"),
            _column("Ready", _status_of("Ready")),
            _column("Healthy", _status_of("Healthy")),
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            {**_column("Message", '.status.conditions[?(@.type=="Ready")].message'), "priority": 1},
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "What a push of an image does in this namespace.",
                "required": ["spec"],
                "properties": {"spec": _spec(drivers), "status": _STATUS},
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "receiver",
            },
            "versions": [version],
        },
    }


def _spec(drivers: Plugins[WebhookDriver[Any, Any]]) -> Json:
    whole = structural(ReceiverSpec.model_json_schema(by_alias=True))
    # Name and labels are the resource's, and the config has the driver's name in its own.
    fields = {
        name: field
        for name, field in whole["properties"].items()
        if name not in ("name", "labels", "config")
    }
    configs = {}
    for plugin in drivers:
        if plugin.target is None:
            continue
        schema = schema_of(f"The driver {plugin.name}", plugin.target.Config)
        if schema is not None:
            configs[plugin.name] = _config(schema)
    fields["driver"] = {**fields["driver"], "enum": sorted(configs)}
    fields |= {config_field(name): config for name, config in configs.items()}
    about = "The receiver, without its name: the driver, its config, and which calls it takes."
    return {"type": "object", "description": about, "required": ["driver"], "properties": fields}


def _config(schema: Json) -> Json:
    found = structural(schema)
    # A namespace that is left out is the resource's own.
    needed = [name for name in found.pop("required", []) if name != "namespace"]
    if not found.get("properties"):
        return {"type": "object", **ANYTHING}
    return {**found, "required": needed} if needed else found


def _column(name: str, path: str) -> Json:
    return {"name": name, "type": "string", "jsonPath": path}


def _status_of(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].status'
