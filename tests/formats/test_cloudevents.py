"""CloudEvents in three modes, CDEvents in them, and other types by the receiver's options."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.cloudevents import CloudEvents, CloudEventsOptions
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.model.delivery import Reason

DIGEST = "sha256:" + "ab" * 32
OCI = f"pkg:oci/shop@{quote(DIGEST, safe='')}"
PURL = f"{OCI}?repository_url=ghcr.io/acme/shop&tag=1.2.3"
PUBLISHED = "dev.cdevents.artifact.published.0.3.0"
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
PUSH = PushEvent(
    registry="ghcr.io",
    repository="acme/shop",
    tag="1.2.3",
    digest=DIGEST,
    pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    actor="bot",
    source_id="/ci/shop a-1",
)
OTHER = {
    "types": ["example.image.pushed"],
    "repository": "$.data.repository",
    "tag": "$.data.tag",
}


def _parse(body: Any, headers: dict[str, str], **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CloudEvents().parse(raw, headers, CloudEventsOptions.model_validate(options))


def _cdevent(purl: Any = PURL, kind: str = PUBLISHED) -> dict[str, Any]:
    return {
        "context": {
            "version": "0.5.0",
            "id": "a-1",
            "source": "/ci/shop",
            "type": kind,
            "timestamp": "2026-01-02T03:04:05Z",
        },
        "subject": {"id": purl, "type": "artifact", "content": {"user": "bot"}},
    }


def _event(data: Any = None, kind: str = PUBLISHED, **attributes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": "a-1",
        "source": "/ci/shop",
        "type": kind,
        "time": "2026-01-02T03:04:05Z",
        "data": _cdevent() if data is None else data,
    } | attributes
    return {name: value for name, value in event.items() if value is not None}


def _headers(kind: str = PUBLISHED, **more: str) -> dict[str, str]:
    return {
        "content-type": "application/cdevents+json",
        "ce-specversion": "1.0",
        "ce-id": "a-1",
        "ce-source": "/ci/shop",
        "ce-type": kind,
    } | more


def test_the_three_modes_carry_one_push() -> None:
    assert _parse(_cdevent(), _headers()) == Parsed(events=(PUSH,))
    assert _parse(_event(), STRUCTURED) == Parsed(events=(PUSH,))
    assert _parse([_event()], BATCH) == Parsed(events=(PUSH,))


def test_an_event_repeated_in_another_mode_keeps_its_id() -> None:
    binary, structured = _parse(_cdevent(), _headers()), _parse(_event(), STRUCTURED)
    assert binary.events[0].source_id == structured.events[0].source_id


def test_events_of_one_batch_stand_for_themselves() -> None:
    batch = [_event(id="1"), _event(kind="dev.cdevents.build.started.0.2.0", data={}), {}, 7]
    parsed = _parse([*batch, _event(id="2")], BATCH)
    assert [event.source_id for event in parsed.events] == ["/ci/shop 1", "/ci/shop 2"]
    assert [item.reason for item in parsed.dropped] == [Reason.MALFORMED] * 3


def test_an_empty_batch_is_nothing() -> None:
    assert _parse([], BATCH) == Parsed()


@pytest.mark.parametrize(
    "kind",
    [
        "dev.cdevents.artifact.published.0.1.0",
        "dev.cdevents.artifact.published.0.3.0-draft",
        "dev.cdevents.artifact.published.1.0.0",
    ],
)
def test_every_version_of_published_is_read(kind: str) -> None:
    assert len(_parse(_cdevent(kind=kind), _headers(kind)).events) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "dev.cdevents.artifact.packaged.0.3.0",
        "dev.cdevents.artifact.signed.0.3.0",
        "dev.cdevents.artifact.deleted.0.1.0",
        "dev.cdevents.artifact.publishedx.0.1.0",
        "dev.cdevents.pipelinerun.finished.0.2.0",
    ],
)
def test_other_cdevents_are_no_pushes(kind: str) -> None:
    parsed = _parse(_event(_cdevent(kind=kind), kind), STRUCTURED)
    assert parsed.dropped == (Dropped(kind, Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("headers", [STRUCTURED, BATCH])
def test_an_envelope_that_contradicts_the_context_is_invalid(headers: dict[str, str]) -> None:
    event = _event(_cdevent(kind="dev.cdevents.artifact.deleted.0.1.0"))
    if headers is BATCH:
        assert _parse([event], BATCH).dropped[0].reason == Reason.MALFORMED
    else:
        with pytest.raises(InvalidPayload, match=r"`data\.context\.type` is not the type"):
            _parse(event, headers)


def test_a_header_that_contradicts_the_body_is_invalid() -> None:
    deleted = "dev.cdevents.artifact.deleted.0.1.0"
    with pytest.raises(InvalidPayload, match=r"context\.type"):
        _parse(_cdevent(), _headers(deleted))
    with pytest.raises(InvalidPayload, match="`ce-type` contradicts `type`"):
        _parse(_event(), STRUCTURED | {"ce-type": deleted})


@pytest.mark.parametrize(
    ("purl", "image"),
    [
        (PURL, f"ghcr.io/acme/shop:1.2.3@{DIGEST}"),
        (f"{OCI}?repository_url=ghcr.io%2Facme%2Fshop&tag=1", f"ghcr.io/acme/shop:1@{DIGEST}"),
        (f"{OCI}?repository_url=ghcr.io&tag=1", f"ghcr.io/shop:1@{DIGEST}"),
        (f"{OCI}?repository_url=ghcr.io/acme&tag=1", f"ghcr.io/acme/shop:1@{DIGEST}"),
        (f"{OCI}?repository_url=https://ghcr.io/acme/shop/&tag=1", f"ghcr.io/acme/shop:1@{DIGEST}"),
        (
            f"{OCI}?tag=1&arch=amd64&Repository_URL=r.example:5000/shop",
            f"r.example:5000/shop:1@{DIGEST}",
        ),
        ("pkg:oci/shop?repository_url=docker.io/acme/shop&tag=1", "docker.io/acme/shop:1"),
        ("pkg:oci/Shop?repository_url=ghcr.io/Acme/shop&tag=V1", "ghcr.io/acme/shop:V1"),
        ("PKG:OCI/shop?repository_url=ghcr.io/shop&tag=1#sub/path", "ghcr.io/shop:1"),
    ],
)
def test_a_purl_names_the_image(purl: str, image: str) -> None:
    (event,) = _parse(_cdevent(purl), _headers()).events
    assert event.image == image


def test_the_registry_option_stands_in_for_the_purls_host() -> None:
    for purl in (f"{OCI}?tag=1", f"{OCI}?repository_url=internal:5000/shop&tag=1"):
        (event,) = _parse(_cdevent(purl), _headers(), registry="r.example").events
        assert event.reference.name == "r.example/shop"


@pytest.mark.parametrize(
    "purl",
    [
        "pkg:golang/mygit.example/myorg/myapp@234fd47e07d1004f0aed9c",
        "pkg:npm/shop@1.2.3",
        "pkg:docker/acme/shop@1.2.3?repository_url=ghcr.io",
        "pkg:helm/shop@1.2.3",
        "shop-1.2.3.tar.gz",
    ],
)
def test_an_artifact_that_is_no_oci_purl_is_not_an_image(purl: str) -> None:
    parsed = _parse(_cdevent(purl), _headers())
    assert parsed.dropped == (Dropped(purl, Reason.NOT_AN_IMAGE),)


def test_a_purl_without_tag_is_untagged() -> None:
    parsed = _parse(_cdevent(f"{OCI}?repository_url=ghcr.io/acme/shop"), _headers())
    assert parsed.dropped == (Dropped(f"ghcr.io/acme/shop@{DIGEST}", Reason.UNTAGGED),)


@pytest.mark.parametrize(
    "purl",
    [
        f"{OCI}?tag=1",
        f"{OCI}?repository_url=acme/shop&tag=1",
        f"{OCI}?repository_url=ghcr.io/acme/shop&tag=1&tag=2",
        f"{OCI}?repository_url=ghcr.io/acme/shop&tag",
        f"{OCI}?repository_url=ghcr.io/acme/shop&tag=a%20b",
        f"{OCI}?repository_url=ghcr.io/acme/shop&tag=%FF",
        f"{OCI}?repository_url=ghcr.io/acme/shop&tag=%00",
        f"{OCI}?repository_url=ghcr.io/../shop&tag=1",
        "pkg:oci/shop@sha256%3Ano?repository_url=ghcr.io/shop&tag=1",
        "pkg:oci/acme/shop?repository_url=ghcr.io/acme/shop&tag=1",
        "pkg:oci/acme%2Fshop?repository_url=ghcr.io&tag=1",
        "pkg:oci/?repository_url=ghcr.io/acme/shop&tag=1",
        "pkg:oci/" + "x" * 3000,
        "",
        None,
        7,
    ],
)
def test_a_purl_that_names_no_image_is_invalid(purl: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(_cdevent(purl), _headers())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", STRUCTURED),
        ([], STRUCTURED),
        ({}, STRUCTURED),
        ({}, BATCH),
        (_event(), {"content-type": "application/json"}),
        (_cdevent(), {}),
        (_event(), {"content-type": "application/cloudevents+avro"}),
        (_event(specversion=None), STRUCTURED),
        (_event(specversion="2.0"), STRUCTURED),
        (_event(specversion=1), STRUCTURED),
        (_event(id=None), STRUCTURED),
        (_event(id=""), STRUCTURED),
        (_event(source=None), STRUCTURED),
        (_event(source="a\nb"), STRUCTURED),
        (_event(type=7), STRUCTURED),
        (_event(type=None), STRUCTURED),
        (_event("text"), STRUCTURED),
        (_event({}), STRUCTURED),
        (_event(data_base64="%%%"), STRUCTURED),
        (_event(data_base64=7), STRUCTURED),
        (_event(data_base64="e30"), STRUCTURED),
        (b"", _headers()),
        (b"{", _headers()),
        (_cdevent(), _headers(**{"content-type": "text/plain"})),
        (_cdevent(), _headers(**{"ce-id": "%FF"})),
        (_cdevent(), _headers(**{"ce-id": "%00"})),
        (_cdevent(), {"ce-type": PUBLISHED}),
        ([{}] * 1001, BATCH),
    ],
)
def test_what_is_no_cloud_event_is_invalid(body: Any, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body, headers)


def test_header_values_are_percent_decoded() -> None:
    (event,) = _parse(_cdevent(), _headers(**{"ce-source": "/caf%C3%A9%20one"})).events
    assert event.source_id == "/café one a-1"


def test_data_in_base64_is_read() -> None:
    encoded = base64.b64encode(json.dumps(_cdevent()).encode()).decode()
    event = _event(data_base64=encoded)
    del event["data"]
    assert _parse(event, STRUCTURED) == Parsed(events=(PUSH,))


def test_a_type_the_receiver_names_is_read_by_its_options() -> None:
    data = {"repository": "r.example/acme/shop", "tag": "1.2.3"}
    kind = "example.image.pushed"
    event = PushEvent(
        registry="r.example",
        repository="acme/shop",
        tag="1.2.3",
        pushed_at=PUSH.pushed_at,
        source_id="/ci/shop a-1",
    )
    assert _parse(_event(data, kind), STRUCTURED, **OTHER) == Parsed(events=(event,))
    binary = _headers(kind, **{"content-type": "", "ce-time": "2026-01-02T03:04:05Z"})
    assert _parse(data, binary, **OTHER) == Parsed(events=(event,))


def test_the_options_see_the_whole_event() -> None:
    options = {
        "types": ["example.image.pushed"],
        "image": "$.subject",
        "id": "$.traceparent",
        "time": "$.data.at",
        "digest": "cel: body.data.digest",
    }
    event = _event(
        {"digest": DIGEST, "at": 1767323046},
        "example.image.pushed",
        subject="ghcr.io/acme/shop:1",
        traceparent="00-ab",
    )
    (push,) = _parse(event, STRUCTURED, **options).events
    assert push.image == f"ghcr.io/acme/shop:1@{DIGEST}"
    assert push.source_id == "00-ab"
    assert push.pushed_at == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


@pytest.mark.parametrize("options", [{}, OTHER])
def test_types_the_receiver_does_not_name_are_no_pushes(options: dict[str, Any]) -> None:
    data = {"repository": "acme/shop", "tag": "1"}
    parsed = _parse(_event(data, "example.image.deleted"), STRUCTURED, **options)
    assert parsed.dropped == (Dropped("example.image.deleted", Reason.NOT_A_PUSH),)


def test_options_for_other_types_leave_cdevents_alone() -> None:
    assert _parse(_event(), STRUCTURED, **OTHER, registry="$.data.host") == Parsed(events=(PUSH,))


@pytest.mark.parametrize(
    "options",
    [
        {"types": ["x"]},
        {"types": ["x"], "repository": "$.a"},
        {"repository": "$.a", "tag": "$.b"},
        {"types": ["x"] * 21, "image": "$.a"},
        {"types": ["x"], "image": "$..a"},
    ],
)
def test_options_that_cannot_work_are_refused_when_saved(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CloudEventsOptions.model_validate(options)


@pytest.mark.parametrize(
    ("registry", "home"), [(None, None), ("ghcr.io", "ghcr.io"), ("$.data.host", None)]
)
def test_only_a_plain_registry_is_home_to_all_pushes(registry: str | None, home: str) -> None:
    assert CloudEvents().home(CloudEventsOptions(registry=registry)) == home


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([PURL, PUBLISHED]),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, database=None)
@given(value=VALUES, path=st.sampled_from(["", "data", "type", "id", "time", "data_base64"]))
@pytest.mark.parametrize("headers", [STRUCTURED, BATCH, _headers()])
def test_any_json_is_parsed_or_invalid(headers: dict[str, str], value: Any, path: str) -> None:
    whole = _event(_cdevent(value)) | {path: value} if path else value
    body = [whole] if headers is BATCH and path else whole
    try:
        parsed = _parse(body, headers, **OTHER)
    except InvalidPayload as exc:
        assert exc.message
    else:
        assert all(item.subject and len(item.subject) < 1000 for item in parsed.dropped)
