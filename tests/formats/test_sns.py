"""SNS' envelope: what it carries, and what asks for a subscription to be confirmed."""

import json
from typing import Any, Literal

import pytest

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.sns import envelope_type, message, subscription
from webhook_service.testing.samples_cloud import sns_notification, sns_subscription


def _fields(body: bytes) -> Fields:
    return Fields.of(json.loads(body))


def test_a_notification_carries_an_object_as_text() -> None:
    envelope = _fields(sns_notification(b'{"a": 1}'))
    assert envelope_type(envelope) == "Notification"
    assert message(envelope) == Fields({"a": 1}, "Message")


@pytest.mark.parametrize("text", ["", "hello", "[]", '"text"', "{" * 50])
def test_a_message_that_is_no_object_is_invalid(text: str) -> None:
    with pytest.raises(InvalidPayload, match="Message"):
        message(Fields({"Type": "Notification", "Message": text}))


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_gives_its_url(
    kind: Literal["SubscriptionConfirmation", "UnsubscribeConfirmation"],
) -> None:
    found = subscription(sns_subscription(kind))
    assert found is not None
    assert found[0] == kind
    assert found[1].startswith("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        sns_notification(b"{}"),
        {"Type": "SubscriptionConfirmation", "Message": "m"},
        {"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example/"},
        {"Type": "SubscriptionConfirmation", "Message": "m", "SubscribeURL": 5},
        {"Type": "SubscriptionConfirmation", "Message": "m", "SubscribeURL": "http://a.example/"},
        {"Type": "SubscriptionConfirmation", "Message": "m", "SubscribeURL": "https://a\n.example"},
        {
            "Type": "SubscriptionConfirmation",
            "Message": "m",
            "SubscribeURL": f"https://{'a' * 2048}/",
        },
        {"Type": ["SubscriptionConfirmation"], "Message": "m", "SubscribeURL": "https://a/"},
    ],
)
def test_any_other_body_is_no_subscription(body: Any) -> None:
    assert subscription(body if isinstance(body, bytes) else json.dumps(body).encode()) is None
