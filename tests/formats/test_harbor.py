"""Harbor's three formats: one object inside, and many events that are no pushes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.harbor import Harbor
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_scm import harbor_cloud_event, harbor_push

DIGEST = "sha256:" + "ab" * 32


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Harbor().parse(raw, {}, FormatOptions(registry=registry))


def _resource(**fields: Any) -> dict[str, Any]:
    return {
        "digest": DIGEST,
        "tag": "1.2.3",
        "resource_url": "harbor.example:8443/acme/shop:1.2.3",
    } | fields


def _data(*resources: Any, name: Any = "acme/shop") -> dict[str, Any]:
    repository = {"name": "shop", "namespace": "acme", "repo_full_name": name}
    return {"resources": list(resources or [_resource()]), "repository": repository}


def _body(*resources: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1767323045,
        "operator": "ada",
        "event_data": _data(*resources),
    } | fields


def _cloud(**fields: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "4b2f89a6",
        "source": "/projects/1/webhook/policies/3",
        "type": "harbor.artifact.pushed",
        "time": "2026-01-02T03:04:05Z",
        "operator": "ada",
        "data": _data(),
    } | fields


def _event(source_id: str | None = None) -> PushEvent:
    return PushEvent(
        registry="harbor.example:8443",
        repository="acme/shop",
        tag="1.2.3",
        digest=DIGEST,
        pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        actor="ada",
        source_id=source_id,
    )


@pytest.mark.parametrize("kind", ["PUSH_ARTIFACT", "pushImage"])
def test_a_push_of_version_one_or_two_becomes_one_event_without_id(kind: str) -> None:
    assert _parse(_body(type=kind, id="not Harbor's")) == Parsed(events=(_event(),))


def test_a_cloud_event_is_known_by_its_source_and_id() -> None:
    identity = "/projects/1/webhook/policies/3 4b2f89a6"
    assert _parse(_cloud()) == Parsed(events=(_event(identity),))


@pytest.mark.parametrize("missing", ["id", "source"])
def test_a_cloud_event_with_half_an_identity_has_none(missing: str) -> None:
    (event,) = _parse(_cloud(**{missing: None})).events
    assert event.source_id is None


@pytest.mark.parametrize("sample", [harbor_push, harbor_cloud_event])
def test_the_samples_become_one_event(sample: Any) -> None:
    (event,) = _parse(sample("harbor.example", "acme/team/shop", "1.2.3", DIGEST)).events
    assert event.image == f"harbor.example/acme/team/shop:1.2.3@{DIGEST}"
    (dropped,) = _parse(sample("harbor.example", "acme/shop", None, DIGEST)).dropped
    assert dropped == Dropped(f"harbor.example/acme/shop@{DIGEST}", Reason.UNTAGGED)


@pytest.mark.parametrize(
    "url",
    [f"harbor.example/acme/shop@{DIGEST}", f"harbor.example/acme/shop:{DIGEST}"],
)
def test_a_digest_in_the_place_of_the_tag_is_untagged(url: str) -> None:
    parsed = _parse(_body(_resource(tag=DIGEST, resource_url=url)))
    assert parsed.dropped == (Dropped(f"harbor.example/acme/shop@{DIGEST}", Reason.UNTAGGED),)


@pytest.mark.parametrize("tag", [None, ""])
def test_a_missing_tag_is_untagged(tag: str | None) -> None:
    (dropped,) = _parse(_body(_resource(tag=tag))).dropped
    assert dropped.reason == Reason.UNTAGGED


@pytest.mark.parametrize(
    "kind",
    [
        "PULL_ARTIFACT",
        "DELETE_ARTIFACT",
        "SCANNING_COMPLETED",
        "SCANNING_FAILED",
        "SCANNING_STOPPED",
        "QUOTA_EXCEED",
        "QUOTA_WARNING",
        "REPLICATION",
        "TAG_RETENTION",
        "pullImage",
        "deleteImage",
        "downloadChart",
        "deleteChart",
        "scanningCompleted",
        "push_artifact",
    ],
)
def test_other_events_are_no_pushes(kind: str) -> None:
    assert _parse(_body(type=kind)).dropped == (Dropped(f"{kind} acme/shop", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize(
    "kind",
    [
        "harbor.artifact.pulled",
        "harbor.artifact.deleted",
        "harbor.tag.created",
        "harbor.quota.exceeded",
        "harbor.replication.status.changed",
        "harbor.scan.completed",
        "harbor.tag_retention.finished",
    ],
)
def test_other_cloud_events_are_no_pushes(kind: str) -> None:
    assert _parse(_cloud(type=kind)).dropped == (Dropped(f"{kind} acme/shop", Reason.NOT_A_PUSH),)


def test_an_event_of_no_repository_is_dropped_by_its_type() -> None:
    body = {"type": "REPLICATION", "event_data": {"replication": {"job_status": "Success"}}}
    assert _parse(body).dropped == (Dropped("REPLICATION", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("kind", ["UPLOAD_CHART", "uploadChart"])
def test_a_chart_is_no_image(kind: str) -> None:
    assert _parse(_body(type=kind)).dropped == (Dropped(f"{kind} acme/shop", Reason.NOT_AN_IMAGE),)


def test_a_signature_is_no_image() -> None:
    tag = "sha256-" + "ab" * 32 + ".sig"
    (dropped,) = _parse(_body(_resource(tag=tag))).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


def test_every_resource_is_read() -> None:
    parsed = _parse(_body(_resource(tag="1"), _resource(tag=DIGEST), _resource(tag="2")))
    assert [event.tag for event in parsed.events] == ["1", "2"]
    assert [item.reason for item in parsed.dropped] == [Reason.UNTAGGED]


@pytest.mark.parametrize(
    "resource",
    [
        7,
        None,
        _resource(tag=5),
        _resource(tag="a b"),
        _resource(digest="sha256:no"),
        _resource(digest=5),
        _resource(resource_url=None),
        _resource(resource_url=5),
        _resource(resource_url="harbor.example"),
        _resource(resource_url="/acme/shop:1"),
        _resource(resource_url="harbor/acme/shop:1"),
        _resource(resource_url="https://harbor.example/acme/shop:1"),
        _resource(resource_url="x/" * 600),
    ],
)
def test_a_resource_that_cannot_be_read_does_not_lose_the_others(resource: Any) -> None:
    parsed = _parse(_body(_resource(tag="1"), resource, _resource(tag="2")))
    assert [event.tag for event in parsed.events] == ["1", "2"]
    (dropped,) = parsed.dropped
    assert dropped.reason == Reason.MALFORMED
    assert "event_data.resources[1]" in dropped.subject


@pytest.mark.parametrize("url", [None, "harbor/acme/shop:1", "core.internal:8080/acme/shop:1"])
def test_the_registry_option_wins_over_the_url(url: str | None) -> None:
    (event,) = _parse(_body(_resource(resource_url=url)), "Harbor.example").events
    assert event.reference.name == "harbor.example/acme/shop"


@pytest.mark.parametrize("written", [None, 0, "1767323045", True, 1e300, -5])
def test_a_time_that_cannot_be_read_is_left_out(written: Any) -> None:
    (event,) = _parse(_body(occur_at=written)).events
    assert event.pushed_at is None


def test_a_repeated_call_reads_alike() -> None:
    body = harbor_push("harbor.example", "acme/shop", "1.2.3")
    assert _parse(body) == _parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"type": 5},
        {"type": ""},
        {"type": "PUSH_ARTIFACT"},
        {"type": "harbor.artifact.pushed", "data": _data()},
        _body(event_data=[]),
        _body(event_data={"resources": []}),
        _body(event_data={"repository": {"repo_full_name": "acme/shop"}}),
        _body(event_data=_data(name=None)),
        _body(event_data=_data(name=5)),
        _body(event_data=_data() | {"resources": {}}),
        _body(event_data=_data() | {"resources": [{}] * 101}),
        _cloud(data=None),
        _cloud(data="bm90IGpzb24="),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
