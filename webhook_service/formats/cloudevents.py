"""CloudEvents 1.0 over HTTP in its three modes, with a CDEvent or data of another type inside.

Source: CloudEvents, "HTTP Protocol Binding" (batched mode; ``reading.cloud_event`` has the others).
``source`` and ``id`` together identify an event; a redelivery has the same two. If
an event of a batch cannot be read, it is dropped, and the rest of the batch is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import Meter
from webhook_service.formats.format import Dropped, Format, Parsed, Sender
from webhook_service.formats.reading import cdevents, forms
from webhook_service.formats.reading.cloud_event import (
    BATCH,
    STRUCTURED,
    data_of,
    read_cloud_event,
)
from webhook_service.formats.reading.expressions import PickOptions, read_pushed
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import event_of
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

MAX_EVENTS = 1000
MAX_TYPES = 20


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
        if forms.media_type(headers) == BATCH:
            events = list(Fields({"batch": read_json(body)}).elements("batch", MAX_EVENTS))
            return Parsed.of(_read_batch(events, headers, options))
        event = read_cloud_event(body, headers)
        return Parsed.of([_read(event, headers, options, new_meter())])

    def home(self, options: CloudEventsOptions) -> str | None:
        return options.fixed_registry

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        """CDEvents only: for other types the receiver has to say what they mean."""
        event = body[0] if isinstance(body, list) and body else body
        named = headers.get("ce-type")
        if forms.media_type(headers) in (STRUCTURED, BATCH) and isinstance(event, dict):
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
        data = Fields.of(data_of(event), event.name("data"))
        # A registry to be looked up is for the types that the options name.
        return cdevents.read_published(kind, data, options.fixed_registry, source_id)
    if kind not in options.types:
        return Dropped(kind, Reason.NOT_A_PUSH)
    pushed = read_pushed(options, {**event.values, "data": data_of(event)}, meter)
    return event_of(
        replace(
            pushed,
            pushed_at=pushed.pushed_at or read_time(event.values.get("time")),
            source_id=pushed.source_id or source_id,
        )
    )
