"""Regular expressions of tenants: RE2, whose cost is the program's size times the text's length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webhook_service.errors import InvalidConfig

# An instruction costs up to 8 ns for each character: a tag of 128 costs 2 ms at the very worst.
MAX_PROGRAM = 2_000
# Bounds what compiling costs before the program's size is known.
MAX_MEMORY = 1 << 17


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled expression, and how many instructions its program has."""

    pattern: Any
    size: int


def compile_regex(source: str, extra: str) -> Regex:
    """Compile an expression.

    Args:
        extra: the extra that brings RE2, for the message.

    Raises:
        InvalidConfig: RE2 is not installed, or it cannot read the expression, or the expression
            counts so much that its program is too large.
    """
    try:
        import re2  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError as exc:
        raise InvalidConfig(
            f"regular expressions need RE2: pip install 'webhook-service[{extra}]' where the "
            "service runs."
        ) from exc
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_MEMORY
    try:
        pattern = re2.compile(source, options)
    except re2.error as exc:
        if "too large" in str(exc) or "repetition size" in str(exc):
            raise _too_large() from exc
        raise InvalidConfig(
            "this is no regular expression as RE2 reads it (no lookaround, no back-references), "
            r"such as v?1\.[0-9]+\.[0-9]+."
        ) from exc
    # The binding tells the size in no other place.
    size = pattern._regexp.ProgramSize()
    if size > MAX_PROGRAM:
        raise _too_large()
    return Regex(pattern, size)


def _too_large() -> InvalidConfig:
    return InvalidConfig(
        "this regular expression counts too much; write + or * instead of nested or large counts "
        "such as {1,500}, or narrower character classes."
    )
