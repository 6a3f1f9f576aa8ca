"""Fields of a form for a plug-in's config, read from its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook_service.driver import DriverConfig
from webhook_service.errors import InvalidRequest

PREFIX = "config_"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field, as a form shows it.

    Attributes:
        name: of the field in the config's JSON.
        shape: how it is written: secret, choice, flag, list (a value in each line), number, json
            or text.
        value: what it begins with; never a secret.
        kept: whether a secret is stored already, which stays if nothing is written.
    """

    name: str
    title: str
    help: str
    shape: str
    needed: bool
    value: str
    choices: Sequence[str] = ()
    kept: bool = False

    @property
    def input(self) -> str:
        """The name of its input: it is not to meet another field of the form."""
        return PREFIX + self.name


def fields_of(
    config: type[DriverConfig], stored: Mapping[str, Any], said: Mapping[str, str] | None = None
) -> list[FormField]:
    """The fields of a config.

    Args:
        stored: the config as it is, with its secrets hidden.
        said: a form that was sent and is shown again; its secrets are not.
    """
    schema = config.model_json_schema(by_alias=True)
    needed = set(schema.get("required", ()))
    found = []
    for name, described in schema.get("properties", {}).items():
        shape, choices = _shape(described)
        value = _written(stored.get(name, described.get("default")), shape)
        if said is not None:
            value = said.get(PREFIX + name, "")
        secret = shape == "secret"
        found.append(
            FormField(
                name,
                described.get("title", name),
                described.get("description", ""),
                shape,
                needed=name in needed and not (secret and name in stored),
                value="" if secret else value,
                choices=choices,
                kept=secret and stored.get(name) is not None,
            )
        )
    return found


def config_in(config: type[DriverConfig], form: Mapping[str, str]) -> dict[str, Any]:
    """The config that a form says; what was left empty is left out.

    Raises:
        InvalidRequest: a field that is to be JSON is none.
    """
    said: dict[str, Any] = {}
    for field in fields_of(config, {}):
        text = form.get(field.input, "")
        if field.shape == "flag":
            said[field.name] = bool(text)
        elif text:
            said[field.name] = _read(field, text)
    return said


def _read(field: FormField, text: str) -> Any:
    if field.shape == "list":
        return text.split()
    if field.shape not in ("number", "json"):
        return text
    try:
        return json.loads(text)
    except ValueError as exc:
        raise InvalidRequest(f"{field.title}: this is no {field.shape}: {exc}.") from None


def _written(value: Any, shape: str) -> str:
    if value is None:
        return ""
    if shape == "list":
        return "\n".join(map(str, value))
    if shape == "flag":
        return "on" if value else ""
    return value if isinstance(value, str) else json.dumps(value)


def _shape(described: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """How a property is written in a form; one that may be null as the rest of it."""
    some = [each for each in described.get("anyOf", ()) if each.get("type") != "null"]
    whole = {**described, **some[0]} if len(some) == 1 else described
    if "enum" in whole:
        return "choice", [str(each) for each in whole["enum"]]
    if whole.get("writeOnly"):
        return "secret", ()
    match whole.get("type"):
        case "boolean":
            return "flag", ()
        case "integer" | "number":
            return "number", ()
        case "string":
            return "text", ()
        case "array" if whole.get("items", {}).get("type") == "string":
            return "list", ()
    return "json", ()
