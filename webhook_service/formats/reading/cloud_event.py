"""One CloudEvent out of a call, in the event's JSON form.

Source: CloudEvents 1.0, "HTTP Protocol Binding" (binary and structured mode) and "JSON Event
Format".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading import forms
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.strict_json import read_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

Reader = Callable[[bytes], Any]


def read_cloud_event(body: bytes, headers: Mapping[str, str], read: Reader = read_json) -> Fields:
    """Read the event of a call; a batch is not read here.

    Args:
        read: what reads the JSON.

    Raises:
        InvalidPayload: the call is no CloudEvent, or none in JSON.
    """
    kind = forms.media_type(headers)
    if kind == STRUCTURED:
        return Fields.of(read(body))
    if kind.startswith("application/cloudevents"):
        raise InvalidPayload("The CloudEvent is not in JSON; no other event format is read.")
    if "ce-type" in headers:
        return Fields(_binary(body, headers, read))
    raise InvalidPayload(
        "The call is no CloudEvent: it has neither `ce-type` and the other headers of "
        f"binary mode, nor the content type {STRUCTURED}."
    )


def data_of(event: Fields) -> Any:
    """The value of the event's data, whichever way it is written.

    Raises:
        InvalidPayload: ``data_base64`` is not in base64, or no JSON.
    """
    encoded = event.values.get("data_base64")
    if encoded is None:
        return event.values.get("data")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidPayload(f"`{event.name('data_base64')}` is not in base64.") from None
    return read_json(raw)


def _binary(body: bytes, headers: Mapping[str, str], read: Reader) -> dict[str, Any]:
    """Header values are percent-encoded (section 3.1.3.2)."""
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): _decode(name, value)
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    attributes.pop("data_base64", None)
    kind = forms.media_type(headers)
    is_json = kind in ("", "application/json") or kind.endswith("+json")
    return attributes | {"data": read(body) if body.strip() and is_json else None}


def _decode(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidPayload(f"The header `{name[:100]}` is not in UTF-8.") from None
