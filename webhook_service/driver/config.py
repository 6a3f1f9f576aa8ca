"""Configs: what a receiver says to its driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]
"""A field of a config that holds a secret, of 1 to 4,096 characters.

The service stores it sealed, shows ``********`` in its place, and keeps it when an update leaves it
out. The driver reads it with ``get_secret_value()``. Any field with pydantic's ``SecretStr`` is
treated so, also in nested models, lists and optional fields."""


def field_title(name: str, _: object = None) -> str:
    """A field's name as people read it: ``Timeout seconds`` of ``timeout_seconds``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


class DriverConfig(BaseModel):
    """Base of driver configs: validation, JSON Schema, forms and docs come from the fields.

    A field with a secret has the type ``Secret``.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    def implied(self) -> Mapping[str, Any]:
        """What this config says about the receiver's ``source`` and ``match``, as their JSON."""
        return {}
