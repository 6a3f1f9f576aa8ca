"""Azure Container Registry: the registry's own webhook, and the same events through Event Grid.

Source: Azure documentation, "Container Registry webhook reference", "Azure Container Registry as
an Event Grid source" and "Endpoint validation with Event Grid event schema". The webhook sends
one event of the registry without an envelope. Pushes, deletes, pings, quarantine and Helm charts
have the same shape; only ``action`` tells which it is. Event Grid puts that event into ``data``:
of its own events, which it sends in an array, or of CloudEvents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import read_event
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

# Event Grid sends up to 5,000 events, but a real one takes over 600 of the body's 1 MiB.
MAX_EVENTS = 2000
EVENT_TYPE = "aeg-event-type"
_AGENT = "AzureContainerRegistry/"
_REGISTRY = "Microsoft.ContainerRegistry."
_PUSHED = f"{_REGISTRY}ImagePushed"
_CHART = f"{_REGISTRY}ChartPushed"
_GRID = "Microsoft.EventGrid."
_VALIDATION = f"{_GRID}SubscriptionValidationEvent"


class Azure(Format):
    """Reads one event of the registry, or an array of Event Grid. Each event has the host."""

    sender = Sender(
        name="Azure Container Registry",
        fields=(
            "action",
            "request.host",
            "target.repository",
            "target.tag",
            "target.digest",
            "target.mediaType",
            "timestamp",
            "id",
        ),
        verification=("header",),
        identity="`id`",
        time="`timestamp`; of Event Grid also `eventTime`",
        digest="`target.digest`",
        gaps="Nothing is signed. Event Grid sends a secret only as a delivery attribute.",
        page="senders/azure.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        value = read_known(body)
        if isinstance(value, list):
            return _read_grid(value, headers, options.registry)
        fields = Fields.of(value)
        if fields.has("eventType") or fields.has("specversion"):
            return _read_grid([value], headers, options.registry)
        return Parsed.of([read_event(fields, options.registry)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        event = body[0] if isinstance(body, list) and body else body
        fields = Fields(event if isinstance(event, dict) else {})
        kind = fields.note("eventType") or fields.note("type") or ""
        if isinstance(body, list) or kind:
            return kind.startswith((_REGISTRY, _GRID))
        if headers.get("user-agent", "").startswith(_AGENT):
            return fields.has("action")
        # Relays put their own name there; the event itself has this shape and no envelope.
        target, request = (_part(fields, name) for name in ("target", "request"))
        return fields.has("action") and "repository" in target and "host" in request


def _part(fields: Fields, name: str) -> Mapping[str, object]:
    found = fields.values.get(name)
    return found if isinstance(found, dict) else {}


def _read_grid(
    events: Sequence[object], headers: Mapping[str, str], registry: str | None
) -> Parsed:
    if not 0 < len(events) <= MAX_EVENTS:
        raise InvalidPayload(f"The body must hold 1 to {MAX_EVENTS} events.")
    found = Parsed.of(_read_each(events, registry))
    code = _validation_code(events, headers)
    return replace(found, reply={"validationResponse": code}) if code else found


def _read_each(events: Sequence[object], registry: str | None) -> Iterator[PushEvent | Dropped]:
    """An event that cannot be read is dropped: Event Grid never repeats a call answered 400."""
    for i, event in enumerate(events):
        try:
            yield _read(Fields.of(event, f"[{i}]"), registry)
        except InvalidPayload as exc:
            yield Dropped(exc.message, Reason.MALFORMED)


def _read(event: Fields, registry: str | None) -> PushEvent | Dropped:
    kind = _type(event)
    if kind.startswith(_GRID):
        return Dropped(kind, Reason.HANDSHAKE)
    if kind != _PUSHED:
        name = f"{kind} {event.note('subject') or ''}".strip()
        return Dropped(name, Reason.NOT_AN_IMAGE if kind == _CHART else Reason.NOT_A_PUSH)
    item = read_event(event.child("data"), registry)
    if isinstance(item, Dropped):
        return item
    sent = read_time(event.values.get("eventTime") or event.values.get("time"))
    return replace(
        item,
        pushed_at=item.pushed_at or sent,
        source_id=item.source_id or event.note("id"),
    )


def _type(event: Fields) -> str:
    """``eventType`` in Event Grid's schema, ``type`` in that of CloudEvents."""
    return event.optional_text("eventType") or event.text("type")


def _validation_code(events: Sequence[object], headers: Mapping[str, str]) -> str | None:
    """What proves to Event Grid that the subscription is wanted; asked for by one event alone.

    The header tells Event Grid's own events from those that anyone may publish in its name; a
    proxy may have taken it away.
    """
    asked = headers.get(EVENT_TYPE, "SubscriptionValidation").lower() == "subscriptionvalidation"
    event = events[0]
    if not asked or len(events) > 1 or not isinstance(event, dict):
        return None
    if event.get("eventType") != _VALIDATION:
        return None
    return Fields(event, "[0]").child("data").text("validationCode")
