"""Classes of configs and options: closed, the same after JSON, and with their secrets hidden."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from webhook_service.driver import DriverConfig
from webhook_service.errors import InvalidConfig
from webhook_service.model.secret_types import holds_secret
from webhook_service.receiving.config_secrets import part_config
from webhook_service.testing.kit.faults import Fault, require, shown
from webhook_service.testing.kit.words import Words, secrets_in

STRANGE_FIELD = "aFieldThatIsNotThere"
# Words by which people call what nobody may see. "key" alone also names what is public.
SECRET_NAME = re.compile(r"(?i)(^|_)(token|secret|password|passwd|api_?key|credentials?)$")


def check_closed(model: type[BaseModel], base: type[BaseModel], values: Mapping[str, Any]) -> None:
    """A class that refuses what it does not know, also in what is nested, and has a schema."""
    name = model.__name__
    require(issubclass(model, base), f"{name} is no subclass of {base.__name__}: derive it.")
    try:
        schema = model.model_json_schema()
    except Exception as exc:
        raise Fault(
            f"{name} has no JSON Schema ({type(exc).__name__}), so no form and no docs."
        ) from exc
    for where, part in _objects(schema, name):
        free = part.get("additionalProperties")
        require(
            free is False or isinstance(free, dict),
            f"{where} takes any field, so that a misspelt one is lost in silence: let it forbid "
            f"extra fields, as {base.__name__} does.",
        )
    try:
        model.model_validate({**values, STRANGE_FIELD: 1})
    except ValidationError:
        return
    raise Fault(f"{name} accepts the field {STRANGE_FIELD}: leave its model_config alone.")


def _objects(schema: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "properties" in schema:
        yield name, schema
    for inner, part in schema.get("$defs", {}).items():
        if "properties" in part:
            yield f"{inner}, a part of {name},", part


def check_secret_types(model: type[BaseModel]) -> None:
    """Fields that are called like a secret have the type of one."""
    for name, field in model.model_fields.items():
        require(
            not SECRET_NAME.search(name) or holds_secret(field.annotation),
            f"The field {name} of {model.__name__} is called like a secret, and everybody can read "
            "it: give it the type webhook_service.Secret.",
        )


def check_round_trip(model: type[BaseModel], values: Mapping[str, Any]) -> None:
    """A config that comes back from storage as it was."""
    made = model.model_validate(dict(values))
    try:
        shown_, whole = part_config(cast(DriverConfig, made), model.__name__)
    except InvalidConfig as exc:
        raise Fault(exc.message) from exc
    stored = json.loads(json.dumps(shown_ if whole is None else whole))
    back = model.model_validate(stored)
    require(
        back == made,
        f"{model.__name__} does not come back from JSON as it was: {shown(made)} became "
        f"{shown(back)}. Let validators and serialisers neither drop nor change what is written.",
    )


def check_hidden(made: BaseModel) -> None:
    """Nothing that prints a config prints its secrets."""
    words = Words(secrets_in(made))
    name = type(made).__name__
    words.check_secrets(f"repr() of {name}", repr(made))
    words.check_secrets(f"str() of {name}", str(made))
    words.check_secrets(f"The JSON of {name}", made.model_dump_json())
