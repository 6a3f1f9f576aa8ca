"""Structural schemas: which definitions the server takes, and which custom resources."""

import copy
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.manifests import resource
from tests.contract.test_custom import DEFINITIONS, is_established
from webhook_service.testing import definition

CHART = Path(__file__).parents[2] / "examples/deploy/chart"
VERSION = "tests.webhook-service.example/v1"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["mode"],
            "properties": {
                "mode": {"type": "string", "enum": ["on", "off"]},
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "note": {"type": "string", "nullable": True},
                "port": {"x-kubernetes-int-or-string": True},
                "list": {"type": "array", "maxItems": 2, "items": {"type": "boolean"}},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}


def defined_by(schema: Any, plural: str) -> dict[str, Any]:
    kind = plural.capitalize()
    made = definition("Canary") | {"metadata": {"name": f"{plural}.{VERSION.split('/')[0]}"}}
    spec = copy.deepcopy(made["spec"]) | {"group": VERSION.split("/")[0]}
    spec["names"] = {"plural": plural, "singular": plural, "kind": kind, "listKind": f"{kind}List"}
    spec["versions"][0] |= {"name": "v1", "schema": {"openAPIV3Schema": schema}}
    return made | {"spec": spec}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The schema with one part of its spec replaced."""
    schema = copy.deepcopy(SCHEMA)
    part = schema["properties"]["spec"]
    *way, last = path.split(".")
    for name in way:
        part = part[name]
    part[last] = value
    return schema


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        (changed("properties.size", {"minimum": 1}), "properties[spec].properties[size].type"),
        (
            changed("properties.note", {"type": "string", "default": 7}),
            "properties[spec].properties[note].default",
        ),
        (changed("additionalProperties", False), "properties[spec].additionalProperties"),
        (changed("properties.list", {"type": "array"}), "properties[spec].properties[list].items"),
        (
            changed("properties.size.anyOf", [{"type": "integer"}]),
            "properties[spec].properties[size].anyOf[0].type",
        ),
        (changed("properties.mode.$ref", "#/x"), "properties[spec].properties[mode].$ref"),
        ({"properties": {}}, "type"),
    ],
)
def test_a_schema_that_is_not_structural_is_refused(
    client: Client, schema: Any, field: str
) -> None:
    answer = client.send("POST", DEFINITIONS, defined_by(schema, "things"))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    causes = {cause["field"] for cause in answer.body["details"]["causes"]}
    assert f"spec.validation.openAPIV3Schema.{field}" in causes


@pytest.fixture(scope="module")
def plural(client: Client) -> Iterator[str]:
    plural = f"things{secrets.token_hex(3)}"
    made = client.ok("POST", DEFINITIONS, defined_by(SCHEMA, plural))
    eventually(lambda: is_established(client, made["metadata"]["name"]))
    eventually(lambda: client.send("GET", resource(VERSION, plural, "default")).code == 200)
    yield plural
    client.ok("DELETE", f"{DEFINITIONS}/{made['metadata']['name']}")


def thing(plural: str, **spec: Any) -> dict[str, Any]:
    header = {"apiVersion": VERSION, "kind": plural.capitalize(), "metadata": {"name": "one"}}
    return header | {"spec": {"mode": "on"} | spec}


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"mode": "sometimes"}, "spec.mode", "FieldValueNotSupported"),
        ({"size": "3"}, "spec.size", "FieldValueInvalid"),
        ({"size": True}, "spec.size", "FieldValueInvalid"),
        ({"size": 0}, "spec.size", "FieldValueInvalid"),
        ({"size": 10}, "spec.size", "FieldValueInvalid"),
        ({"name": "Ab"}, "spec.name", "FieldValueInvalid"),
        ({"name": "abcdef"}, "spec.name", None),
        ({"port": True}, "spec.port", "FieldValueInvalid"),
        ({"list": [True, False, True]}, "spec.list", None),
        ({"list": ["yes"]}, "spec.list", "FieldValueInvalid"),
        ({"map": {"a": "1"}}, "spec.map.a", "FieldValueInvalid"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    client: Client, namespace: str, plural: str, spec: Any, field: str, reason: str | None
) -> None:
    answer = client.send("POST", resource(VERSION, plural, namespace), thing(plural, **spec))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    (cause,) = answer.body["details"]["causes"]
    # Servers differ in whether they name the item of a list.
    assert cause["field"].partition("[")[0] == field
    assert reason is None or cause["reason"] == reason


def test_what_is_required_must_be_there(client: Client, namespace: str, plural: str) -> None:
    body = thing(plural)
    del body["spec"]["mode"]
    answer = client.send("POST", resource(VERSION, plural, namespace), body)
    (cause,) = answer.body["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("spec.mode", "FieldValueRequired")


def test_a_patch_is_judged_as_a_whole(client: Client, namespace: str, plural: str) -> None:
    path = resource(VERSION, plural, namespace)
    client.ok("POST", path, thing(plural, size=3))
    assert client.send("PATCH", f"{path}/one", {"spec": {"size": 99}}, MERGE).code == 422
    assert client.ok("GET", f"{path}/one")["spec"] == {"mode": "on", "size": 3}


def test_fields_that_no_schema_names_are_dropped(
    client: Client, namespace: str, plural: str
) -> None:
    known = {"note": None, "port": "http", "list": [True], "map": {"a": 1}, "free": {"any": [{}]}}
    body = thing(plural, misspelt=1, **known) | {"other": {}}
    made = client.ok("POST", resource(VERSION, plural, namespace), body)
    assert made["spec"] == {"mode": "on"} | known
    assert "other" not in made


def test_the_definition_of_receivers_is_taken(client: Client) -> None:
    made = json.loads((CHART / "receivers.json").read_text())
    answer = client.send("POST", DEFINITIONS, made, query={"dryRun": "All"})
    assert answer.code in (201, 409), answer.body
