"""The format ``shipyard``: what the in-house registry Shipyard sends after a push.

{"event": "pushed", "image": "shipyard.example/acme/shop:1.2.3",
 "digest": "sha256:…", "at": "2026-01-02T03:04:05Z", "id": "…"}
"""

from collections.abc import Mapping

from webhook_service.formats import (
    Dropped,
    Fields,
    Format,
    FormatOptions,
    Parsed,
    Pushed,
    Sender,
    event_of,
    read_json,
    read_time,
    split_reference,
)


class Shipyard(Format):
    """Reads one event. ``read_json``, ``Fields`` and ``event_of`` refuse what is malformed."""

    sender = Sender(
        name="Shipyard",
        fields=("event", "image", "digest", "at", "id"),
        verification=("stamped",),
        identity="`id`",
        time="`at`",
        digest="`digest`",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        call = Fields.of(read_json(body))
        if call.text("event") != "pushed":
            return Parsed(dropped=(Dropped(call.note("event") or "?", "not_a_push"),))
        name, tag, _ = split_reference(call.text("image", 512))
        host, _, path = name.partition("/")
        pushed = Pushed(
            host=options.registry or host,
            path=path,
            field="image",
            tag=tag,
            digest=call.optional_text("digest"),
            pushed_at=read_time(call.values.get("at")),
            source_id=call.note("id"),
        )
        return Parsed.of([event_of(pushed)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        return "x-shipyard-stamp" in headers
