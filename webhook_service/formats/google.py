"""Google Artifact Registry and Container Registry, through a push subscription of Pub/Sub.

Source: Artifact Registry documentation, "Configure Pub/Sub notifications"; Pub/Sub
documentation, "Receive messages from push subscriptions" and "Payload unwrapping". One topic
reports all repositories of a project. A message names digest and tag, each as a whole image
reference. If somebody adds a tag later, that is an INSERT too. Nothing tells charts from images.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of, image_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.images import Image
from webhook_service.model.delivery import Reason

MESSAGE_ID = "x-goog-pubsub-message-id"
PUBLISH_TIME = "x-goog-pubsub-publish-time"
_MAX_REFERENCE = 512


@dataclass(frozen=True, slots=True)
class _Message:
    change: Fields
    id: str | None
    published: datetime | None


class Google(Format):
    """Reads one message, in Pub/Sub's wrapper or without it."""

    sender = Sender(
        name="Google Artifact Registry",
        fields=(
            "message.data.action",
            "message.data.tag",
            "message.data.digest",
            "message.messageId",
            "message.publishTime",
        ),
        verification=("oidc",),
        identity="`message.messageId`",
        time="`message.publishTime`",
        digest="`message.data.digest`",
        gaps="One topic has all repositories of a project. Charts are not told from images.",
        page="senders/google.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        fields = Fields.of(read_known(body))
        message = _unwrap(fields) if fields.has("message") else _bare(fields, headers)
        return Parsed.of([_read(message, options.registry)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        fields = Fields(body if isinstance(body, dict) else {})
        if fields.has("message"):
            return fields.has("subscription") and fields.part("message").has("data")
        named = fields.has("digest") or fields.has("tag")
        return named and fields.note("action") in ("INSERT", "DELETE")


def _unwrap(envelope: Fields) -> _Message:
    message = envelope.child("message")
    field = message.name("data")
    try:
        data = base64.b64decode(message.text("data", 1024 * 1024), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPayload(f"`{field}` is not base64.") from None
    try:
        change = Fields.of(read_known(data), field)
    except InvalidPayload as exc:
        raise InvalidPayload(f"In `{field}`: {exc.message}") from None
    return _Message(change, message.note("messageId"), read_time(message.values.get("publishTime")))


def _bare(change: Fields, headers: Mapping[str, str]) -> _Message:
    """Id and time are in headers, if the subscription writes metadata."""
    meta = Fields(headers)
    return _Message(change, meta.note(MESSAGE_ID), read_time(headers.get(PUBLISH_TIME)))


def _read(message: _Message, registry: str | None) -> PushEvent | Dropped:
    change = message.change
    action = change.text("action", 64)
    if action != "INSERT":
        name = change.note("tag", _MAX_REFERENCE) or change.note("digest", _MAX_REFERENCE) or ""
        return Dropped(f"{change.note('action') or '?'} {name}".strip(), Reason.NOT_A_PUSH)
    by_tag, by_digest = _reference(change, "tag", ":"), _reference(change, "digest", "@")
    found = by_tag or by_digest
    if found is None:
        raise InvalidPayload(f"`{change.name('digest')}` and `{change.name('tag')}` are missing.")
    image = found[0]
    if by_digest and by_digest[0] != image:
        raise InvalidPayload(
            f"`{change.name('tag')}` and `{change.name('digest')}` are of different images."
        )
    return event_of(
        Pushed(
            host=registry or image.registry,
            path=image.repository,
            field=change.name("tag" if by_tag else "digest"),
            tag=by_tag[1] if by_tag else None,
            digest=by_digest[1] if by_digest else None,
            pushed_at=message.published,
            source_id=message.id,
        )
    )


def _reference(change: Fields, key: str, mark: str) -> tuple[Image, str] | None:
    """Split ``host/project/repository/image``, checked, from what follows the last mark."""
    text = change.optional_text(key, _MAX_REFERENCE)
    if text is None:
        return None
    name, found, rest = text.rpartition(mark)
    host, _, path = name.partition("/")
    if not found or not rest:
        raise InvalidPayload(f"`{change.name(key)}` is not a reference with a {key}.")
    return image_of(host, path, change.name(key)), rest
