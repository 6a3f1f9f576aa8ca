"""Google's registries: digest and tag are whole references, in a wrapper or without it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.google import Google
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import google_change, google_push

DIGEST = "sha256:" + "ab" * 32
IMAGE = "europe-west1-docker.pkg.dev/acme/apps/shop"
METADATA = {
    "x-goog-pubsub-message-id": "4321",
    "x-goog-pubsub-publish-time": "2026-01-02T03:04:05.678Z",
    "x-goog-pubsub-subscription-name": "projects/acme/subscriptions/gcr-push",
}


def _parse(body: Any, headers: dict[str, str] | None = None, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Google().parse(raw, headers or {}, FormatOptions(registry=registry))


def _wrapped(data: bytes | str) -> dict[str, Any]:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"message": {"data": text, "messageId": "1"}, "subscription": "s"}


def test_a_push_becomes_one_event() -> None:
    body = google_push(IMAGE, "1.1", DIGEST)
    assert _parse(body) == Parsed(
        events=(
            PushEvent(
                registry="europe-west1-docker.pkg.dev",
                repository="acme/apps/shop",
                tag="1.1",
                digest=DIGEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                source_id=json.loads(body)["message"]["messageId"],
            ),
        )
    )


def test_an_unwrapped_message_has_id_and_time_in_headers() -> None:
    (event,) = _parse(google_change(IMAGE, "1.1", DIGEST), METADATA).events
    assert event.image == f"{IMAGE}:1.1@{DIGEST}"
    assert event.source_id == "4321"
    assert event.pushed_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_an_unwrapped_message_without_metadata_has_neither() -> None:
    (event,) = _parse(google_change(IMAGE, "1.1", DIGEST)).events
    assert (event.source_id, event.pushed_at) == (None, None)


def test_headers_do_not_speak_for_a_wrapped_message() -> None:
    (event,) = _parse(_wrapped(google_change(IMAGE, "1")), METADATA).events
    assert (event.source_id, event.pushed_at) == ("1", None)


def test_container_registry_and_ports_are_understood() -> None:
    assert _parse(google_push("eu.gcr.io/acme/shop", "1")).events[0].registry == "eu.gcr.io"
    (event,) = _parse(google_push("localhost:5000/acme/shop", "1")).events
    assert event.reference.name == "localhost:5000/acme/shop"


def test_a_tag_alone_is_a_push_without_digest() -> None:
    (event,) = _parse(google_push(IMAGE, "1.1", None)).events
    assert event.image == f"{IMAGE}:1.1"


def test_a_push_by_digest_is_untagged() -> None:
    body = google_push(IMAGE, None, DIGEST)
    assert _parse(body).dropped == (Dropped(f"{IMAGE}@{DIGEST}", Reason.UNTAGGED),)


@pytest.mark.parametrize(
    ("tag", "digest", "subject"),
    [("1.1", None, f"{IMAGE}:1.1"), (None, DIGEST, f"{IMAGE}@{DIGEST}"), (None, None, "")],
)
def test_a_delete_is_no_push(tag: str | None, digest: str | None, subject: str) -> None:
    body = google_push(IMAGE, tag, digest, action="DELETE")
    assert _parse(body).dropped == (Dropped(f"DELETE {subject}".strip(), Reason.NOT_A_PUSH),)


def test_a_signature_beside_an_image_is_no_image() -> None:
    tag = f"{DIGEST.replace(':', '-')}.sig"
    (dropped,) = _parse(google_push(IMAGE, tag)).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


def test_the_registry_option_wins_over_the_body() -> None:
    (event,) = _parse(google_push(IMAGE, "1"), registry="registry.acme.example").events
    assert event.reference.name == "registry.acme.example/acme/apps/shop"


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "shop:1"},
        {"tag": "shop"},
        {"tag": IMAGE},
        {"tag": f"{IMAGE}:"},
        {"tag": f"{IMAGE}:a b"},
        {"tag": f"{IMAGE}:1@{DIGEST}"},
        {"tag": f"https://{IMAGE}:1"},
        {"tag": f"user@{IMAGE}:1"},
        {"tag": "acme/apps/shop:1"},
        {"tag": ":1"},
        {"tag": 1},
        {"tag": f"{'a' * 512}:1"},
        {"digest": IMAGE},
        {"digest": f"{IMAGE}@sha256:no"},
        {"digest": f"{IMAGE}:1@{DIGEST}"},
        {"digest": DIGEST},
        {"digest": f"@{DIGEST}"},
        {"tag": f"{IMAGE}:1", "digest": f"{IMAGE}2@{DIGEST}"},
        {"tag": f"{IMAGE}:1", "digest": f"evil.example/acme/apps/shop@{DIGEST}"},
        {},
    ],
)
def test_what_is_no_whole_reference_is_invalid(change: dict[str, Any]) -> None:
    body = json.dumps({"action": "INSERT"} | change).encode()
    with pytest.raises(InvalidPayload):
        _parse(body)
    with pytest.raises(InvalidPayload):
        _parse(_wrapped(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"message": []},
        {"message": {}},
        {"message": {"data": ""}},
        {"message": {"data": 5}},
        {"message": {"attributes": {"a": "b"}, "messageId": "1"}},
        _wrapped("%%%"),
        _wrapped("é"),
        _wrapped("YQ"),
        _wrapped(b""),
        _wrapped(b"hello"),
        _wrapped(b"[]"),
        _wrapped(b"\xff"),
        _wrapped(b'{"action": "INSERT", "action": "DELETE"}'),
        {"action": None},
        {"action": 1},
        {"action": "x" * 65},
    ],
)
def test_what_is_no_such_message_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


def test_an_error_does_not_repeat_the_message() -> None:
    with pytest.raises(InvalidPayload) as caught:
        _parse(_wrapped(b'{"action": secret}'))
    assert "secret" not in caught.value.message
    assert "message.data" in caught.value.message
