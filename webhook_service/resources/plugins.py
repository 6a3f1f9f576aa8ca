"""Drivers, formats and schemes over the wire: what is installed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from webhook_service.resources.base import AnswerModel


class PluginResource(AnswerModel):
    """An installed plug-in."""

    id: str = Field(description="Its name, as receivers say it.")
    name: str
    state: Literal["ready", "incomplete", "broken"] = Field(
        description="`incomplete` if it needs an extra that is not installed."
    )
    distribution: str = Field(description="The package that it came with; may be empty.")
    version: str = Field(description="Of that package.")
    error: str | None = Field(description="Why it is not ready, and what to do; null if it is.")


class DriverResource(PluginResource):
    """What can be done on a push."""

    type: Literal["driver"]
    summary: str = Field(description="What it does, in a sentence.")
    consumes: Literal["push", "call"] | None = Field(
        description="Whether it takes pushes, or any call as it came."
    )
    config_field: str = Field(description="The receiver's field with its config.")
    config_schema: dict[str, Any] | None = Field(description="The JSON Schema of its config.")


class FormatResource(PluginResource):
    """Whose calls can be read."""

    type: Literal["format"]
    sender: str = Field(description="Who sends such calls.")
    schemes: list[str] = Field(description="The schemes that fit, the best first.")
    options_schema: dict[str, Any] | None = Field(
        description="The JSON Schema of what `source` may have beside `format`."
    )


class SchemeResource(PluginResource):
    """How calls can be proven genuine."""

    type: Literal["scheme"]
    checks: str = Field(description="What it computes or compares.")
    replay: str = Field(description="What happens when a genuine call is sent again.")
    options: list[str] = Field(description="What `verify` may have beside `scheme`.")
    secrets: list[str] = Field(description="Those of them that are hidden in answers.")
    options_schema: dict[str, Any] | None = Field(description="Their JSON Schema.")
