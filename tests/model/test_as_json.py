import json
from datetime import UTC, datetime

import pytest

from webhook_service.driver import ImageFacts, PushEvent, Request
from webhook_service.model.as_json import event_from_json, event_to_json

PUSH = PushEvent(registry="docker.io", repository="acme/shop", tag="1")


@pytest.mark.parametrize(
    "event",
    [
        PUSH,
        PushEvent(
            registry="docker.io",
            repository="acme/shop",
            digest="sha256:" + "a" * 64,
            pushed_at=datetime(2026, 11, 26, tzinfo=UTC),
            facts=ImageFacts(source="https://example.com", revision="4f2a", size=7),
        ),
        Request(body=b"\x00\xff", headers={"content-type": "text/plain"}, query={"a": "b"}),
    ],
)
def test_event_is_read_as_it_was_written(event: PushEvent | Request) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_event_without_facts_is_stored_without_them() -> None:
    assert "facts" not in event_to_json(PUSH)
