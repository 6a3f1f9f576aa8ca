"""The format ``shipyard``: what the in-house registry Shipyard sends after a push.

{"event": "pushed", "image": "shipyard.example/acme/shop:1.2.3",
 "digest": "sha256:…", "at": "2026-01-02T03:04:05Z", "id": "…"}
"""

from collections.abc import Mapping

from webhook_service.payloads import strict_json
from webhook_service.payloads.fields import Fields
from webhook_service.payloads.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.payloads.picks import split_reference
from webhook_service.payloads.pushes import Pushed, event_of, parsed
from webhook_service.payloads.times import from_text


class Shipyard(Format):
    """Reads one event. ``strict_json``, ``Fields`` and ``event_of`` refuse what is malformed."""

    sender = Sender(
        name="Shipyard",
        fields=("event", "image", "digest", "at", "id"),
        verification=("stamped",),
        identity="`id`",
        time="`at`",
        digest="`digest`",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        call = Fields.of(strict_json.loads(body))
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
            pushed_at=from_text(call.values.get("at")),
            source_id=call.note("id"),
        )
        return parsed([event_of(pushed)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        return "x-shipyard-stamp" in headers
