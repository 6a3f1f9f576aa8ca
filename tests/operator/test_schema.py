"""What becomes of a JSON Schema that custom resources cannot have."""

from typing import Any

import pytest

from webhook_service.operator.schema import ANYTHING, SECRET, structural

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "string", "default": "", "title": "A"}, TEXT),
        ({"anyOf": [TEXT, {"type": "null"}], "default": None}, {**TEXT, "nullable": True}),
        ({"type": "string", "const": "a"}, {**TEXT, "enum": ["a"]}),
        (
            {"anyOf": [TEXT, {"type": "integer"}]},
            {"x-kubernetes-int-or-string": True},
        ),
        ({"anyOf": [TEXT, {"type": "boolean"}]}, ANYTHING),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": TEXT}),
        (
            {"type": "object", "patternProperties": {"^a$": TEXT}, "additionalProperties": False},
            {"type": "object", "additionalProperties": TEXT},
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "additionalProperties": True},
            {"type": "object", "properties": {"a": TEXT}, **ANYTHING},
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "oneOf": [{"required": ["a"]}]},
            {"type": "object", "properties": {"a": TEXT}},
        ),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer", "minimum": 1}}},
            {"type": "integer", "minimum": 1},
        ),
        ({**TEXT, "format": "password", "writeOnly": True}, SECRET),
        ({}, ANYTHING),
    ],
)
def test_what_a_structural_schema_can_say_is_kept(
    schema: dict[str, Any], made: dict[str, Any]
) -> None:
    assert structural(schema) == made


def test_a_choice_of_objects_has_the_fields_of_all_and_needs_what_all_need() -> None:
    def one(kind: str, **fields: Any) -> dict[str, Any]:
        properties = {"type": {**TEXT, "const": kind}, **fields}
        return {"type": "object", "properties": properties, "required": ["type", *fields]}

    made = structural({"oneOf": [one("a", size={**TEXT, "maxLength": 9}), one("b", size=TEXT)]})
    assert made == {
        "type": "object",
        "properties": {"type": {**TEXT, "enum": ["a", "b"]}, "size": TEXT},
        "required": ["size", "type"],
    }
