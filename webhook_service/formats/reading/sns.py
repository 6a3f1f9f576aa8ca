"""The envelope of Amazon SNS, which may carry events of other senders.

Source: Amazon SNS documentation, "HTTP/HTTPS notification JSON format" and "HTTP/HTTPS
subscription confirmation JSON format". A topic sends nothing before its subscription is
confirmed. This module confirms none: that needs a verified signature and a call.
"""

from __future__ import annotations

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.strict_json import read_known

NOTIFICATION = "Notification"
SUBSCRIBED = "SubscriptionConfirmation"
UNSUBSCRIBED = "UnsubscribeConfirmation"
_TYPES = (NOTIFICATION, SUBSCRIBED, UNSUBSCRIBED)
_MAX_MESSAGE = 256 * 1024
_MAX_URL = 2048


def envelope_type(fields: Fields) -> str | None:
    """``Notification`` or the type of a confirmation; ``None`` if it is no envelope of SNS."""
    kind = fields.values.get("Type")
    return next((known for known in _TYPES if kind == known and fields.has("Message")), None)


def message(envelope: Fields) -> Fields:
    """The JSON object that a notification carries as text.

    Raises:
        InvalidPayload: the message is no such object.
    """
    text = envelope.text("Message", _MAX_MESSAGE)
    try:
        value = read_known(text.encode())
    except InvalidPayload as exc:
        raise InvalidPayload(f"In `{envelope.name('Message')}`: {exc.message}") from None
    return Fields.of(value, envelope.name("Message"))


def subscription(body: bytes) -> tuple[str, str] | None:
    """The type and ``SubscribeURL`` of a confirmation, not verified; ``None`` for other bodies.

    Whoever visits the URL subscribes to the topic, even with the URL of an
    ``UnsubscribeConfirmation``. So first verify the signature of the message, and that the host is
    Amazon's.
    """
    try:
        envelope = Fields.of(read_known(body))
    except InvalidPayload:
        return None
    kind, url = envelope_type(envelope), envelope.note("SubscribeURL", _MAX_URL)
    if kind in (SUBSCRIBED, UNSUBSCRIBED) and url and url.startswith("https://"):
        return kind, url
    return None
