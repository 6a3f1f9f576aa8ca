"""Spans of time as people write them: ``90s``, ``30m``, ``2h``, ``3d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

SPAN = r"^[0-9]{1,6}[smhd]$"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_span(text: str) -> timedelta:
    """The span of a text that fits ``SPAN``."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _require_span(text: str) -> str:
    if not re.fullmatch(SPAN, text, re.ASCII):
        raise ValueError("a span is a whole number and its unit, such as 90s, 30m, 72h or 3d")
    return text


Span = Annotated[str, AfterValidator(_require_span), Field(json_schema_extra={"pattern": SPAN})]
"""A field that holds a span."""
