"""The header Prefer (RFC 7240): how long a caller would wait for what comes of its call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is understood of the header; the rest of it is ignored, as the RFC wants.

    Attributes:
        wait: seconds; None if the caller does not say.
        respond_async: whether an answer that the call was taken is enough.
    """

    wait: int | None = None
    respond_async: bool = False


def read_preferences(values: Iterable[str]) -> Preferences:
    """Read every Prefer header of a request; of two equal preferences the first one counts."""
    wait, respond_async = None, False
    for preference in ",".join(values).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        match name.strip().lower():
            case "wait" if wait is None and _is_number(seconds):
                wait = int(seconds)
            case "respond-async":
                respond_async = True
    return Preferences(wait, respond_async)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
