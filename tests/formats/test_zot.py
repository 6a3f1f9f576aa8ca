"""zot: a CloudEvent names repository and tag, and the receiver knows the host."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.zot import Zot
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import zot_push

HOST = "zot.example"
DIGEST = "sha256:" + "ab" * 32
BODY, HEADERS = zot_push("space/my-image", "1.2.3", DIGEST)
# The example of zotregistry.dev, "Webhook payload metadata".
DOCUMENTED = {
    "name": "space/my-image",
    "reference": "latest",
    "digest": "sha256:abc...",
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "actor": {"name": "john"},
    "request": {"addr": "192.168.0.1:54321", "method": "PUT", "useragent": "docker/24.0.5"},
}


def _parse(body: Any, headers: dict[str, str] = HEADERS, host: str | None = HOST) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Zot().parse(raw, headers, FormatOptions(registry=host))


def _structured(**fields: Any) -> tuple[bytes, dict[str, str]]:
    event = {
        name.removeprefix("ce-"): value for name, value in HEADERS.items() if name[:3] == "ce-"
    }
    whole = event | {"data": json.loads(BODY)} | fields
    return json.dumps(whole).encode(), {"content-type": "application/cloudevents+json"}


def test_an_updated_image_becomes_one_event() -> None:
    expected = PushEvent(
        registry=HOST,
        repository="space/my-image",
        tag="1.2.3",
        digest=DIGEST,
        media_type="application/vnd.oci.image.manifest.v1+json",
        pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        actor="ada",
        source_id=f"zotregistry.dev {HEADERS['ce-id']}",
    )
    assert _parse(BODY) == Parsed(events=(expected,))
    assert _parse(*_structured()) == Parsed(events=(expected,))


def test_the_documented_example_is_a_push_without_a_digest() -> None:
    (event,) = _parse(DOCUMENTED).events
    assert (event.repository, event.tag, event.digest) == ("space/my-image", "latest", None)
    assert event.actor == "john"


@pytest.mark.parametrize("prefix", ["com.example.registry", "a", "zotregistry"])
def test_the_words_before_the_event_may_be_ones_own(prefix: str) -> None:
    assert len(_parse(*zot_push("shop", "1", prefix=prefix)).events) == 1


@pytest.mark.parametrize(
    "event", ["image.deleted", "image.lint_failed", "image.scanned", "repository.created"]
)
def test_other_events_are_no_pushes(event: str) -> None:
    said = _parse(*zot_push("shop", "1", event=event))
    assert said.dropped == (Dropped(f"zotregistry.{event} shop:1", Reason.NOT_A_PUSH),)


def test_a_repository_alone_is_no_push() -> None:
    _, headers = zot_push("shop", "", event="repository.created")
    (dropped,) = _parse({"name": "shop"}, headers, None).dropped
    assert dropped == Dropped("zotregistry.repository.created shop", Reason.NOT_A_PUSH)


def test_a_push_by_digest_is_untagged() -> None:
    (dropped,) = _parse(*zot_push("shop", DIGEST, DIGEST)).dropped
    assert dropped.reason == Reason.UNTAGGED


@pytest.mark.parametrize(
    "config",
    ["application/vnd.cncf.helm.config.v1+json", "application/vnd.oci.empty.v1+json"],
)
def test_what_is_inside_the_manifest_tells_charts_from_images(config: str) -> None:
    (dropped,) = _parse(*zot_push("charts/shop", "1.2.3", config=config)).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("manifest", [None, "", "{", "[]", '{"config": 7}', 7, "\ud800"])
def test_a_manifest_that_says_nothing_leaves_the_push_an_image(manifest: Any) -> None:
    assert len(_parse(DOCUMENTED | {"manifest": manifest}).events) == 1


def test_other_media_types_are_no_images() -> None:
    (dropped,) = _parse(DOCUMENTED | {"mediaType": "application/vnd.acme.model"}).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


def test_without_the_host_the_call_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(BODY, host=None)


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        (BODY, {"content-type": "application/json"}, "no CloudEvent"),
        (b"[]", HEADERS, "`data` must be a JSON object"),
        (b"{}", HEADERS, "`data.name` is missing"),
        (BODY, {**HEADERS, "ce-source": ""}, "`source` is empty"),
    ],
)
def test_what_is_no_event_is_invalid(body: bytes, headers: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidPayload, match=problem):
        _parse(body, headers)


def test_a_field_that_nobody_reads_may_stand_twice() -> None:
    body = BODY.replace(b'"request":', b'"request": 1, "request":')
    assert len(_parse(body).events) == 1


@pytest.mark.parametrize(
    ("prefix", "source", "claimed"),
    [
        ("zotregistry", "https://registry.example.com", True),
        ("com.example", "zotregistry.dev", True),
        ("com.example", "https://registry.example.com", False),
    ],
)
def test_a_call_is_claimed_as_long_as_type_or_source_is_zots(
    prefix: str, source: str, claimed: bool
) -> None:
    body, headers = zot_push("shop", "1", prefix=prefix, source=source)
    assert Zot().claims(json.loads(body), headers) is claimed
    event, mode = _structured(type=f"{prefix}.image.updated", source=source)
    assert Zot().claims(json.loads(event), mode) is claimed
