"""The notifications of CNCF distribution (``registry:2`` and ``registry:3``; GitLab ships it).

Source: distribution documentation, "Work with notifications". Version 2 sends the content type
``…events.v1+json``, version 3 ``…events.v2+json``, and proxies of other people plain JSON. The
envelope is the same, so the body decides. One push causes many calls (for each blob, and for each
pull during the push). Only one event in them has the tag. The registry repeats a refused call for
ever, and sends no other call before it. So if an event cannot be read, it is dropped, and the rest
of its envelope is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import read_event
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.model.delivery import Reason

MAX_EVENTS = 1000


class Distribution(Format):
    """Reads an envelope. Its events need not belong to the same push."""

    sender = Sender(
        name="CNCF distribution (registry:2, registry:3)",
        fields=(
            "events[].action",
            "events[].request.host",
            "events[].target.repository",
            "events[].target.tag",
            "events[].target.digest",
            "events[].target.mediaType",
            "events[].target.url",
            "events[].timestamp",
            "events[].actor.name",
            "events[].id",
        ),
        verification=("header", "basic"),
        identity="`events[].id`",
        time="`events[].timestamp`",
        digest="`events[].target.digest`",
        gaps="Nothing is signed. The host may be an internal name: option `registry`. The "
        "queue is in memory: a restart of the registry loses calls.",
        page="senders/distribution.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return read_envelope(Fields.of(read_known(body)), options.registry)

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        events = body.get("events") if isinstance(body, dict) else None
        first = events[0] if isinstance(events, list) and events else None
        return isinstance(first, dict) and "action" in first and "target" in first


def read_envelope(envelope: Fields, registry: str | None) -> Parsed:
    """Read the events of an envelope; ``registry`` is a host to use instead of theirs.

    Raises:
        InvalidPayload: ``events`` is missing, no array, or too long.
    """
    events = envelope.elements("events", MAX_EVENTS)
    return Parsed.of(_read(path, event, registry) for path, event in events)


def _read(path: str, event: object, registry: str | None) -> PushEvent | Dropped:
    try:
        return read_event(Fields.of(event, path), registry, trust_url=True)
    except InvalidPayload as exc:
        # The message names event and field, and there may be nothing else to name.
        return Dropped(exc.message, Reason.MALFORMED)
