"""Form bodies (``application/x-www-form-urlencoded``), read as strictly as JSON ones."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from webhook_service.errors import InvalidPayload

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 1000


def media_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters, in lower case; "" if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def loads(body: bytes) -> dict[str, str]:
    """Read a form's fields.

    Raises:
        InvalidPayload: it is no form in UTF-8, names a field twice, or has too many of them.
    """
    if not body.strip():
        raise InvalidPayload("The body is empty.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        message = f"The body is not a form in UTF-8 of at most {MAX_FIELDS} fields."
        raise InvalidPayload(message) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidPayload("The body names a field twice.")
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise InvalidPayload("The body has a NUL character in a text.")
    return found
