"""Nexus: a component is a tag, and the receiver knows the host."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.formats.nexus import Nexus, NexusOptions
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import nexus_push

HOST = "nexus.acme.example:5000"
BODY, HEADERS = nexus_push("team/shop", "1.2.3")


def _parse(body: Any, headers: dict[str, str] | None = None, **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = NexusOptions.model_validate(options or {"registry": HOST})
    return Nexus().parse(raw, HEADERS if headers is None else headers, given)


def _body(component: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = json.loads(BODY)
    return whole | {"component": whole["component"] | (component or {})} | fields


def test_a_created_component_becomes_one_event() -> None:
    assert _parse(BODY) == Parsed(
        events=(
            PushEvent(
                registry=HOST,
                repository="team/shop",
                tag="1.2.3",
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                actor="ada/192.0.2.7",
            ),
        )
    )


@pytest.mark.parametrize("action", ["CREATED", "UPDATED", "created"])
def test_an_overwritten_tag_is_a_push_too(action: str) -> None:
    assert len(_parse(_body(action=action)).events) == 1


@pytest.mark.parametrize("action", ["DELETED", "PURGED"])
def test_a_deleted_component_is_no_push(action: str) -> None:
    assert _parse(_body(action=action)).dropped == (
        Dropped(f"{action} team/shop:1.2.3", Reason.NOT_A_PUSH),
    )


@pytest.mark.parametrize("format", ["npm", "helm", "maven2", "raw"])
def test_other_formats_are_no_images(format: str) -> None:
    (dropped,) = _parse(nexus_push("angular", "1", format=format)[0]).dropped
    assert dropped == Dropped("CREATED angular:1", Reason.NOT_AN_IMAGE)


@pytest.mark.parametrize("headers", [{}, {"x-nexus-webhook-id": "rm:repository:asset"}])
def test_assets_are_no_images(headers: dict[str, str]) -> None:
    asset = {"format": "docker", "name": "v2/-/blobs/sha256:ab", "contentType": "application/x"}
    body = {"action": "CREATED", "repositoryName": "docker-hosted", "asset": asset}
    assert _parse(body, headers).dropped == (
        Dropped("CREATED v2/-/blobs/sha256:ab", Reason.NOT_AN_IMAGE),
    )


def test_webhooks_of_the_whole_server_are_no_pushes() -> None:
    headers = {"x-nexus-webhook-id": "rm:global:audit"}
    assert _parse({"audit": {}}, headers).dropped == (
        Dropped("rm:global:audit", Reason.NOT_A_PUSH),
    )


def test_the_id_of_a_call_is_no_id_of_the_push() -> None:
    other = HEADERS | {"x-nexus-webhook-delivery": "another"}
    assert _parse(BODY, other) == _parse(BODY)


def test_without_headers_the_body_decides() -> None:
    assert _parse(BODY, {}) == _parse(BODY)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"repositories": {"docker-hosted": HOST}}, f"{HOST}/team/shop"),
        ({"repositories": {"docker-hosted": HOST}, "registry": "a.example"}, f"{HOST}/team/shop"),
        ({"repositories": {"other": HOST}, "registry": "a.example"}, "a.example/team/shop"),
        (
            {"repositories": {"docker-hosted": "nexus.acme.example/docker-hosted"}},
            "nexus.acme.example/docker-hosted/team/shop",
        ),
    ],
)
def test_the_receiver_says_where_a_repository_is(options: dict[str, Any], name: str) -> None:
    (event,) = _parse(BODY, **options).events
    assert event.reference.name == name


@pytest.mark.parametrize("options", [{"repositories": {}}, {"repositories": {"proxy": HOST}}])
def test_a_repository_without_host_says_what_to_set(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload, match="`repositories` option.*`registry`") as caught:
        _parse(BODY, **options)
    assert "docker-hosted" not in caught.value.message


@pytest.mark.parametrize("place", ["", "nexus", "http://a.example", "a.example//b", 5])
def test_a_mapping_to_no_registry_is_refused(place: Any) -> None:
    with pytest.raises(ValidationError):
        NexusOptions.model_validate({"repositories": {"docker-hosted": place}})


@pytest.mark.parametrize(
    ("options", "home"),
    [
        ({}, None),
        ({"registry": HOST}, HOST),
        ({"repositories": {"a": HOST, "b": f"{HOST}/b"}}, HOST),
        ({"repositories": {"a": HOST}, "registry": HOST}, HOST),
        ({"repositories": {"a": HOST}, "registry": "a.example"}, None),
        ({"repositories": {"a": HOST, "b": "b.example"}}, None),
    ],
)
def test_one_host_for_all_is_home(options: dict[str, Any], home: str | None) -> None:
    assert Nexus().home(NexusOptions.model_validate(options)) == home


@pytest.mark.parametrize("version", [None, "", "sha256:" + "ab" * 32])
def test_a_component_without_tag_is_dropped(version: str | None) -> None:
    assert _parse(_body({"version": version})).dropped == (
        Dropped(f"{HOST}/team/shop", Reason.UNTAGGED),
    )


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02T03:04:05.678+0000", datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678+00:00", datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
        ("2026-01-02T05:04:05+0200", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", None),
        ("yesterday", None),
        (5, None),
        (None, None),
    ],
)
def test_a_time_is_read_with_its_zone(written: Any, moment: datetime | None) -> None:
    (event,) = _parse(_body(timestamp=written)).events
    assert event.pushed_at == moment


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"action": "CREATED"},
        _body(action=None),
        _body(action=5),
        _body() | {"component": []},
        _body() | {"component": None},
        _body(repositoryName=None),
        _body({"format": None}),
        _body({"name": None}),
        _body({"name": "a//b"}),
        _body({"name": "a b"}),
        _body({"version": "a b"}),
        _body({"version": 1}),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
