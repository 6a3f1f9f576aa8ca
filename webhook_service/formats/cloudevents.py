"""CloudEvents 1.0 over HTTP in its three modes, with a CDEvent or data of another type inside.

Source: CloudEvents, "HTTP Protocol Binding" (binary, structured and batched mode) and "JSON
Event Format". ``source`` and ``id`` together identify an event; a redelivery has the same two. If
an event of a batch cannot be read, it is dropped, and the rest of the batch is kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self
from urllib.parse import unquote

from pydantic import Field, model_validator

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import Meter
from webhook_service.formats.format import Dropped, Format, Parsed, Sender
from webhook_service.formats.reading import cdevents, forms
from webhook_service.formats.reading.expressions import PickOptions, read_pushed
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import event_of
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

MAX_EVENTS = 1000
MAX_TYPES = 20
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"


class CloudEventsOptions(PickOptions):
    """For CDEvents nothing. For other types: which of them are pushes, and where the image is."""

    types: tuple[str, ...] = Field(
        default=(),
        max_length=MAX_TYPES,
        description="CloudEvents types that are pushes, beside CDEvents' artifact published. The "
        "expressions see the event in its JSON form: $.data, $.subject.",
    )

    @model_validator(mode="after")
    def _names_an_image(self) -> Self:
        if self.types:
            self.require_image()
        elif self.model_fields_set - {"registry"}:
            raise ValueError("Say in `types` which CloudEvents types the expressions are for.")
        return self


class CloudEvents(Format[CloudEventsOptions]):
    """Reads one event, or a batch."""

    Options = CloudEventsOptions
    sender = Sender(
        name="CloudEvents and CDEvents",
        fields=(
            "type",
            "source",
            "id",
            "time",
            "data.context.type",
            "data.context.timestamp",
            "`data.subject.id` (an OCI purl)",
            "data.subject.content.user",
        ),
        verification=("standardWebhooks", "hmac", "header"),
        identity="`source` and `id`",
        time="`data.context.timestamp`, or `time`",
        digest="in the purl",
        gaps="Of CDEvents only artifact published; other types need `types` and expressions. "
        "Nothing is signed by itself.",
        page="senders/cloudevents.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: CloudEventsOptions) -> Parsed:
        kind = forms.media_type(headers)
        if kind == _BATCH:
            events = list(Fields({"batch": read_json(body)}).elements("batch", MAX_EVENTS))
            return Parsed.of(_read_batch(events, headers, options))
        if kind == _STRUCTURED:
            event = Fields.of(read_json(body))
        elif kind.startswith("application/cloudevents"):
            raise InvalidPayload("The CloudEvent is not in JSON; no other event format is read.")
        elif "ce-type" in headers:
            event = Fields(_binary(body, headers))
        else:
            raise InvalidPayload(
                "The call is no CloudEvent: it has neither `ce-type` and the other headers of "
                f"binary mode, nor the content type {_STRUCTURED}."
            )
        return Parsed.of([_read(event, headers, options, new_meter())])

    def home(self, options: CloudEventsOptions) -> str | None:
        return options.fixed_registry

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        """CDEvents only: for other types the receiver has to say what they mean."""
        event = body[0] if isinstance(body, list) and body else body
        named = headers.get("ce-type")
        if forms.media_type(headers) in (_STRUCTURED, _BATCH) and isinstance(event, dict):
            named = event.get("type")
        return isinstance(named, str) and named.startswith(cdevents.PREFIX)


def _read_batch(
    events: Sequence[tuple[str, object]], headers: Mapping[str, str], options: CloudEventsOptions
) -> Iterator[PushEvent | Dropped]:
    meter = new_meter(len(events))
    for path, value in events:
        try:
            yield _read(Fields.of(value, path), headers, options, meter)
        except InvalidPayload as exc:
            yield Dropped(exc.message, Reason.MALFORMED)


def _read(
    event: Fields, headers: Mapping[str, str], options: CloudEventsOptions, meter: Meter
) -> PushEvent | Dropped:
    if not event.text("specversion", 16).startswith("1."):
        raise InvalidPayload(f"`{event.name('specversion')}` is not 1.0.")
    kind, source_id = event.text("type"), f"{event.text('source')} {event.text('id')}"
    if not (kind + source_id).isprintable():
        raise InvalidPayload("The CloudEvent's attributes have characters that cannot be shown.")
    if headers.get("ce-type", kind) != kind:
        raise InvalidPayload(f"The header `ce-type` contradicts `{event.name('type')}`.")
    if kind.startswith(cdevents.PREFIX):
        data = Fields.of(_data(event), event.name("data"))
        # A registry to be looked up is for the types that the options name.
        return cdevents.read_published(kind, data, options.fixed_registry, source_id)
    if kind not in options.types:
        return Dropped(kind, Reason.NOT_A_PUSH)
    pushed = read_pushed(options, {**event.values, "data": _data(event)}, meter)
    return event_of(
        replace(
            pushed,
            pushed_at=pushed.pushed_at or read_time(event.values.get("time")),
            source_id=pushed.source_id or source_id,
        )
    )


def _data(event: Fields) -> Any:
    encoded = event.values.get("data_base64")
    if encoded is None:
        return event.values.get("data")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidPayload(f"`{event.name('data_base64')}` is not in base64.") from None
    return read_json(raw)


def _binary(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """The event in its JSON form; header values are percent-encoded (section 3.1.3.2)."""
    attributes: dict[str, Any] = {
        name.removeprefix("ce-"): _decode(name, value)
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    attributes.pop("data_base64", None)
    kind = forms.media_type(headers)
    is_json = kind in ("", "application/json") or kind.endswith("+json")
    return attributes | {"data": read_json(body) if body.strip() and is_json else None}


def _decode(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidPayload(f"The header `{name[:100]}` is not in UTF-8.") from None
