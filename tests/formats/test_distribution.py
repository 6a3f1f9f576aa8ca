"""CNCF distribution's notifications: of all that a push causes, one event is deployable."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.distribution import Distribution
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples import azure_push, distribution_push

CAPTURED = Path(__file__).parent / "captured" / "distribution-2.8-push.json"
DIGEST = "sha256:" + "ab" * 32
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _parse(body: Any, registry: str | None = None, content_type: str = "") -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": content_type} if content_type else {}
    return Distribution().parse(raw, headers, FormatOptions(registry=registry))


def _event(target: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = {
        "mediaType": MANIFEST,
        "digest": DIGEST,
        "repository": "acme/shop",
        "url": f"https://url.example:5000/v2/acme/shop/manifests/{DIGEST}",
        "tag": "1.2.3",
    } | (target or {})
    return {
        "id": "e1",
        "timestamp": "2026-01-02T03:04:05.123456789Z",
        "action": "push",
        "target": {key: value for key, value in whole.items() if value is not None},
        "request": {"host": "registry.example:5000"},
        "actor": {"name": "ada"},
        "source": {"addr": "internal-name:5000"},
    } | fields


def _reasons(*events: Any) -> list[str]:
    parsed = _parse({"events": list(events)})
    assert not parsed.events
    return [item.reason for item in parsed.dropped]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
    ],
)
def test_a_tagged_manifest_becomes_one_event(content_type: str) -> None:
    parsed = _parse({"events": [_event()]}, content_type=content_type)
    assert parsed == Parsed(
        events=(
            PushEvent(
                registry="registry.example:5000",
                repository="acme/shop",
                tag="1.2.3",
                digest=DIGEST,
                media_type=MANIFEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
                actor="ada",
                source_id="e1",
            ),
        )
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(distribution_push("registry.example", "acme/shop", "1.2.3", DIGEST)).events
    assert event.image == f"registry.example/acme/shop:1.2.3@{DIGEST}"


def test_one_event_comes_out_of_all_calls_of_a_real_push() -> None:
    calls = json.loads(CAPTURED.read_text())
    parsed = [_parse(call["body"], content_type=call["headers"]["Content-Type"]) for call in calls]
    (event,) = [event for each in parsed for event in each.events]
    assert event.image.startswith("registry.example:5000/acme/shop:1.2.3@sha256:")
    assert event.pushed_at and event.source_id
    assert {item.reason for each in parsed for item in each.dropped} == {Reason.NOT_AN_IMAGE}


@pytest.mark.parametrize(
    "media_type",
    [
        MANIFEST,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.OCI.image.manifest.v1+json; charset=utf-8",
        None,
    ],
)
def test_every_kind_of_image_manifest_is_taken(media_type: str | None) -> None:
    assert len(_parse({"events": [_event({"mediaType": media_type})]}).events) == 1


@pytest.mark.parametrize(
    "target",
    [
        {"mediaType": "application/octet-stream", "tag": None},
        {"mediaType": "application/octet-stream"},
        {"mediaType": "application/vnd.docker.container.image.rootfs.diff+x-gtar", "tag": None},
        {"mediaType": "application/vnd.cncf.helm.config.v1+json"},
        {"mediaType": "application/vnd.oci.artifact.manifest.v1+json"},
        {"references": [{"mediaType": "application/vnd.cncf.helm.config.v1+json"}]},
        {"references": [{}, {"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}]},
        {"tag": "sha256-" + "ab" * 32 + ".sig"},
        {"tag": "sha256-" + "ab" * 32},
    ],
)
def test_blobs_charts_and_signatures_are_no_images(target: dict[str, Any]) -> None:
    assert _reasons(_event(target)) == [Reason.NOT_AN_IMAGE]


@pytest.mark.parametrize("references", [None, [], "x", [1, None], [{"mediaType": 5}], {}])
def test_references_that_say_nothing_change_nothing(references: Any) -> None:
    assert len(_parse({"events": [_event({"references": references})]}).events) == 1


@pytest.mark.parametrize("tag", [None, "", DIGEST])
def test_a_manifest_pushed_by_digest_is_dropped_as_untagged(tag: str | None) -> None:
    subject = f"registry.example:5000/acme/shop@{DIGEST}"
    parsed = _parse({"events": [_event({"tag": tag})]})
    assert parsed == Parsed(dropped=(Dropped(subject, Reason.UNTAGGED),))


@pytest.mark.parametrize("action", ["pull", "mount", "delete", "frobnicate"])
def test_what_is_no_push_is_dropped(action: str) -> None:
    parsed = _parse({"events": [_event(action=action)]})
    assert parsed.dropped == (Dropped(f"{action} acme/shop:1.2.3", Reason.NOT_A_PUSH),)


def test_a_delete_by_digest_is_dropped_with_its_digest() -> None:
    event = {"action": "delete", "target": {"repository": "acme/shop", "digest": DIGEST}}
    parsed = _parse({"events": [event]})
    assert parsed.dropped == (Dropped(f"delete acme/shop@{DIGEST}", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize(
    ("event", "registry", "expected"),
    [
        (_event(), None, "registry.example:5000"),
        (_event(), "Public.Example", "public.example"),
        (_event(request={}), None, "url.example:5000"),
        (_event(request=None), None, "url.example:5000"),
        (_event({"url": "http://a:b@url.example/v2/"}, request={}), None, "url.example"),
        (_event({"url": None}, request={}), "localhost:5000", "localhost:5000"),
        (_event(request={"host": "LOCALHOST:5000"}), None, "localhost:5000"),
        (_event(request={"host": "[::1]:5000"}), None, "[::1]:5000"),
        (_event(request={"host": "index.docker.io"}), None, "docker.io"),
    ],
)
def test_the_registry_is_the_option_else_the_request_else_the_url(
    event: dict[str, Any], registry: str | None, expected: str
) -> None:
    (found,) = _parse({"events": [event]}, registry=registry).events
    assert found.registry == expected


def test_an_official_image_of_docker_hub_gets_its_namespace() -> None:
    event = _event({"repository": "nginx"}, request={"host": "registry-1.docker.io"})
    (found,) = _parse({"events": [event]}).events
    assert found.reference.name == "docker.io/library/nginx"


@pytest.mark.parametrize(
    "event",
    [
        7,
        None,
        [],
        {},
        {"action": 5},
        {"action": "push"},
        {"action": "push", "target": "x"},
        _event({"repository": None}),
        _event({"repository": ""}),
        _event({"repository": 5}),
        _event({"repository": "no//name"}),
        _event({"repository": "x" * 256}),
        _event({"tag": "a b"}),
        _event({"tag": ["1"]}),
        _event({"tag": "x" * 300}),
        _event({"digest": "sha256:no"}),
        _event({"digest": "SHA256:" + "AB" * 32}),
        _event({"mediaType": 5}),
        _event({"url": None}, request={}),
        _event({"url": "http://[bad/v2/"}, request={}),
        _event({"url": "/v2/acme"}, request={}),
        _event(request={"host": "registry"}),
        _event(request={"host": "evil.example/path"}),
        _event(request={"host": "a b.example"}),
    ],
)
def test_a_malformed_event_does_not_lose_the_others(event: Any) -> None:
    parsed = _parse({"events": [_event(), event, _event({"tag": "2.0.0"})]})
    assert [found.tag for found in parsed.events] == ["1.2.3", "2.0.0"]
    (dropped,) = parsed.dropped
    assert dropped.reason == "malformed"
    assert "events[1]" in dropped.subject


def test_a_bare_host_name_never_becomes_a_docker_hub_namespace() -> None:
    parsed = _parse({"events": [_event(request={"host": "registry"})]})
    assert "set the receiver's `registry` option" in parsed.dropped[0].subject


def test_unrelated_events_in_one_envelope_are_all_read() -> None:
    events = [_event(id=f"e{i}", target=_event({"tag": f"1.0.{i}"})["target"]) for i in range(1000)]
    parsed = _parse({"events": events})
    assert [event.source_id for event in parsed.events] == [f"e{i}" for i in range(1000)]


def test_more_than_a_thousand_events_are_invalid() -> None:
    with pytest.raises(InvalidPayload, match="more than 1000"):
        _parse({"events": [{}] * 1001})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"events": null}',
        b'{"events": {}}',
        b'{"events": "x"}',
        b"{not json",
        azure_push("acme.azurecr.io", "shop", "1"),
    ],
)
def test_what_is_no_envelope_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


def test_an_empty_envelope_says_nothing() -> None:
    assert _parse({"events": []}) == Parsed()


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1Z", datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("9999999-01-01T00:00:00Z", None),
        ("2026-01-02T03:04:05", None),
        ("2026-13-02T03:04:05Z", None),
        ("2026-01-02", None),
        ("2026-W01-2", None),
        ("yesterday", None),
        ("2" * 300, None),
        (1767323045, None),
        (None, None),
    ],
)
def test_a_time_is_read_or_left_out(written: Any, moment: datetime | None) -> None:
    (event,) = _parse({"events": [_event(timestamp=written)]}).events
    assert event.pushed_at == moment


@pytest.mark.parametrize("value", [None, 7, "", "x" * 256, "a\nb", {}])
def test_an_id_or_actor_that_cannot_be_kept_is_left_out(value: Any) -> None:
    (event,) = _parse({"events": [_event(id=value, actor={"name": value})]}).events
    assert event.source_id is None
    assert event.actor is None


def test_a_thousand_bad_names_are_a_thousand_dropped_items() -> None:
    name = "h.x/" + "aa." * 80
    body = json.dumps({"events": [_event({"repository": name})] * 1000}).encode()
    assert len(_parse(body).dropped) == 1000
