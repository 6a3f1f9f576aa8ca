"""Text of others, as messages may carry it: bounded, and without control characters."""

from __future__ import annotations

import re

MAX_BYTES = 4096
# C0 and C1 controls save tab and newline, and what turns the direction of writing around.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def head(data: bytes, size: int = MAX_BYTES) -> str:
    """The start of a text, at most so many bytes of it."""
    return _clean(data.decode("utf-8", "replace")).encode()[:size].decode("utf-8", "ignore").strip()


def tail(text: str, size: int = MAX_BYTES) -> str:
    """The end of a text, at most so many bytes of it."""
    return _clean(text).strip().encode()[-size:].decode("utf-8", "ignore").strip()


def _clean(text: str) -> str:
    unix = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", unix)
