"""A part of what people configure, such as ``match`` or ``approval`` of a receiver."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from webhook_service.driver import field_title


class Part(BaseModel):
    """Base of the parts: JSON names, and no field that nobody knows."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=field_title,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )
