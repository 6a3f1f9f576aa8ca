"""Azure's registry webhook: `action` alone tells a push from all else of the same shape."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.delivery import Reason
from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.payloads.azure import Azure
from webhook_service.payloads.format import Dropped, FormatOptions, Parsed
from webhook_service.testing.payloads import azure_push, distribution_push

DIGEST = "sha256:" + "ab" * 32
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Azure().parse(raw, {}, FormatOptions(registry=registry))


def _body(target: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = {"mediaType": MANIFEST, "digest": DIGEST, "repository": "shop", "tag": "v1"}
    whole |= target or {}
    return {
        "id": "cb8c3971",
        "timestamp": "2026-01-02T03:04:05.6789012Z",
        "action": "push",
        "target": {key: value for key, value in whole.items() if value is not None},
        "request": {"id": "a1", "host": "acme.azurecr.io", "method": "PUT"},
    } | fields


def test_a_push_becomes_one_event() -> None:
    assert _parse(_body(actor={"name": "ada"})) == Parsed(
        events=(
            PushEvent(
                registry="acme.azurecr.io",
                repository="shop",
                tag="v1",
                digest=DIGEST,
                media_type=MANIFEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
                actor="ada",
                source_id="cb8c3971",
            ),
        )
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(azure_push("acme.azurecr.io", "team/shop", "v1", DIGEST)).events
    assert event.image == f"acme.azurecr.io/team/shop:v1@{DIGEST}"


def test_a_push_without_media_type_is_taken() -> None:
    assert len(_parse(_body({"mediaType": None})).events) == 1


@pytest.mark.parametrize("registry", ["acme.example", "ACME.example"])
def test_the_registry_option_wins_over_the_body(registry: str) -> None:
    (event,) = _parse(_body(), registry=registry).events
    assert event.registry == "acme.example"


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"id": "1", "action": "ping"}, Dropped("ping", Reason.NOT_A_PUSH)),
        (_body(action="delete"), Dropped("delete shop:v1", Reason.NOT_A_PUSH)),
        (
            _body({"tag": None}, action="delete"),
            Dropped(f"delete shop@{DIGEST}", Reason.NOT_A_PUSH),
        ),
        (_body(action="quarantine"), Dropped("quarantine shop:v1", Reason.NOT_A_PUSH)),
        (_body(action="chart_delete"), Dropped("chart_delete shop:v1", Reason.NOT_A_PUSH)),
        (_body(action="chart_push"), Dropped("chart_push shop:v1", Reason.NOT_AN_IMAGE)),
        (_body(action="PUSH"), Dropped("PUSH shop:v1", Reason.NOT_A_PUSH)),
        (
            _body({"mediaType": "application/vnd.cncf.helm.config.v1+json"}),
            Dropped("push shop:v1", Reason.NOT_AN_IMAGE),
        ),
        (
            _body({"tag": None}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
        (
            _body({"tag": None, "mediaType": None}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
        (
            _body({"tag": DIGEST}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
    ],
)
def test_what_cannot_be_deployed_is_dropped_with_its_reason(
    body: dict[str, Any], dropped: Dropped
) -> None:
    assert _parse(body) == Parsed(dropped=(dropped,))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'"push"',
        {"action": None},
        {"action": 1},
        {"action": "x" * 65},
        {"action": "push"},
        _body(request={}),
        _body(request=None),
        _body(request={"host": 5}),
        _body(request={"host": "acme"}),
        _body(request={"host": "evil.example/acme.azurecr.io"}),
        _body({"repository": None}),
        _body({"repository": "no//name"}),
        _body({"tag": "a b"}),
        _body({"tag": 1}),
        _body({"digest": "sha256:abc"}),
        distribution_push("acme.example", "shop", "v1"),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


def test_event_grids_array_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidPayload, match="Event Grid"):
        _parse([{"eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": _body()}])


def test_the_host_is_not_taken_from_a_url() -> None:
    with pytest.raises(InvalidPayload, match="host"):
        _parse(_body({"url": "https://acme.azurecr.io/v2/shop/manifests/v1"}, request={}))
