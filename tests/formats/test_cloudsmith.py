"""Cloudsmith: the version of a package is the digest, and each of its tags is a push."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.cloudsmith import Cloudsmith, CloudsmithOptions
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import cloudsmith_push

DIGEST = "sha256:" + "ab" * 32
BODY = cloudsmith_push("acme/prod/team/shop", "1.2.3", digest=DIGEST)
FORM = {"content-type": "application/x-www-form-urlencoded"}
# From docs.cloudsmith.com, "Example Package Payload", without the fields that repeat another.
DOCUMENTED = {
    "data": {
        "architectures": [],
        "checksum_sha256": "82ee34b2ee3715e055f58a5825799b5d763e8517bc2d5da80a8ac5c59d9940d3",
        "extension": ".deb",
        "filename": "my-file.deb",
        "format": "raw",
        "identifier_perm": "xKYgfsOsboz6",
        "name": "my-file.deb",
        "namespace": "my-org",
        "repository": "testo2",
        "slug_perm": "xKYgfsOsboz6",
        "stage_str": "Fully Synchronised",
        "tags": {"version": ["latest"]},
        "tags_immutable": {},
        "uploaded_at": "2020-07-06T18:57:07.199040Z",
        "uploader": "my-user",
        "version": None,
    },
    "meta": {
        "attempt_at": "2020-07-07T17:30:34.342167+00:00",
        "event_at": "2020-07-07T17:30:34.296482+00:00",
        "event_id": "package.synced",
        "trigger_id": "c0e2b63e-3d84-4d54-bd62-ae7d0b2764a7",
        "webhook_id": 1,
    },
}


def _parse(body: Any, headers: dict[str, str] | None = None, **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Cloudsmith().parse(raw, headers or {}, CloudsmithOptions.model_validate(options))


def _body(data: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    whole = json.loads(BODY)
    return whole | {"data": whole["data"] | (data or {}), "meta": whole["meta"] | meta}


def test_a_synchronised_image_becomes_one_event() -> None:
    event = PushEvent(
        registry="docker.cloudsmith.io",
        repository="acme/prod/team/shop",
        tag="1.2.3",
        digest=DIGEST,
        pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        actor="ada",
        source_id=json.loads(BODY)["meta"]["trigger_id"],
    )
    assert _parse(BODY) == Parsed(events=(event,))


def test_the_documented_example_is_a_package_and_no_image() -> None:
    (dropped,) = _parse(DOCUMENTED).dropped
    assert dropped == Dropped("package.synced my-org/testo2/my-file.deb", Reason.NOT_AN_IMAGE)


def test_the_documented_example_of_a_docker_package_is_a_push() -> None:
    data = DOCUMENTED["data"] | {"format": "docker", "name": "shop", "version": "5a" * 32}
    (event,) = _parse(DOCUMENTED | {"data": data}).events
    assert event.image == f"docker.cloudsmith.io/my-org/testo2/shop:latest@sha256:{'5a' * 32}"
    assert event.pushed_at == datetime(2020, 7, 7, 17, 30, 34, 296482, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param((b"[" + BODY + b"]", {}), id="array"),
        pytest.param((urlencode({"payload": BODY.decode()}).encode(), FORM), id="form"),
        pytest.param(
            (urlencode({"payload": json.dumps(BODY.decode())}).encode(), FORM), id="form-of-text"
        ),
    ],
)
def test_the_other_payload_formats_say_the_same(body: tuple[bytes, dict[str, str]]) -> None:
    assert _parse(*body) == _parse(BODY)


def test_each_tag_is_a_push_and_none_is_untagged() -> None:
    many = _parse(cloudsmith_push("acme/prod/shop", "1.2.3", "latest")).events
    assert [event.tag for event in many] == ["1.2.3", "latest"]
    (dropped,) = _parse(cloudsmith_push("acme/prod/shop")).dropped
    assert dropped == Dropped("package.synced acme/prod/shop", Reason.UNTAGGED)


@pytest.mark.parametrize(
    ("context", "tags"),
    [
        ({"old_tags": ["1.2.3"], "new_tags": ["1.2.3", "prod", "info"]}, ["prod"]),
        ({"old_tags": ["1.2.3", "prod"], "new_tags": ["1.2.3"]}, []),
        ({"new_tags": ["prod"]}, ["prod"]),
        ({}, []),
    ],
)
def test_of_changed_tags_those_are_pushes_that_are_new(
    context: dict[str, Any], tags: list[str]
) -> None:
    event = "package.tags_updated"
    body = cloudsmith_push("acme/prod/shop", "1.2.3", "prod", event=event, context=context)
    parsed = _parse(body)
    assert [event.tag for event in parsed.events] == tags
    assert [dropped.reason for dropped in parsed.dropped] == ([] if tags else [Reason.NOT_A_PUSH])


@pytest.mark.parametrize(
    "event", ["ping", "package.created", "package.syncing", "package.deleted", "package.released"]
)
def test_other_events_are_no_pushes(event: str) -> None:
    (dropped,) = _parse(_body(event_id=event)).dropped
    assert dropped.reason == Reason.NOT_A_PUSH


def test_a_ping_needs_no_package() -> None:
    (dropped,) = _parse({"data": {}, "meta": {"event_id": "ping"}}).dropped
    assert dropped == Dropped("ping", Reason.NOT_A_PUSH)


@pytest.mark.parametrize("version", [None, "", "1.2.3", "AB" * 32, "sha256:" + "ab" * 32])
def test_a_version_that_is_no_digest_leaves_the_tag(version: str | None) -> None:
    (event,) = _parse(_body({"version": version})).events
    assert (event.tag, event.digest) == ("1.2.3", None)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"registry": "docker.example.com"}, "docker.example.com/acme/prod/team/shop"),
        ({"repositories": {"acme/prod": "docker.example.com"}}, "docker.example.com/team/shop"),
        (
            {"repositories": {"acme/prod": "docker.example.com/p", "acme/dev": "other.example"}},
            "docker.example.com/p/team/shop",
        ),
    ],
)
def test_the_receiver_can_say_where_clusters_pull_from(options: Any, name: str) -> None:
    (event,) = _parse(BODY, **options).events
    assert f"{event.registry}/{event.repository}" == name


@pytest.mark.parametrize(
    ("options", "home"),
    [
        ({}, "docker.cloudsmith.io"),
        ({"registry": "docker.example.com"}, "docker.example.com"),
        ({"repositories": {"acme/prod": "docker.example.com"}}, None),
    ],
)
def test_the_home_is_where_all_pushes_are(options: Any, home: str | None) -> None:
    assert Cloudsmith().home(CloudsmithOptions.model_validate(options)) == home


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{}", "`meta` is missing"),
        (b"[7]", r"`events\[0\]` must be a JSON object"),
        (_body({"tags": {"version": [1]}}), "`data.tags.version` must be an array of texts"),
        (_body({"tags": {"version": "latest"}}), "`data.tags.version` must be an array"),
        (_body({"name": None}), "`data.name` is missing"),
        (_body({"namespace": "UPPER.."}), "is not a repository name"),
        (_body({"tags": {"version": ["-x"]}}), "is not a tag"),
    ],
)
def test_what_names_no_image_is_invalid(body: Any, problem: str) -> None:
    with pytest.raises(InvalidPayload, match=problem):
        _parse(body)


def test_a_place_that_is_no_host_is_refused_when_saved() -> None:
    with pytest.raises(ValidationError):
        CloudsmithOptions.model_validate({"repositories": {"acme/prod": "not a host"}})


def test_a_signed_call_is_claimed_whatever_its_shape() -> None:
    assert Cloudsmith().claims("{}", {"x-cloudsmith-signature": "sha1=00"})
    assert Cloudsmith().claims([DOCUMENTED], {})
    assert not Cloudsmith().claims({"meta": {"event_id": "package.synced"}}, {})
