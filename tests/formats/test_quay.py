"""Quay's push notification: one repository, all its tags, and nothing else to tell it by."""

import json
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.quay import Quay
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_scm import quay_push


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Quay().parse(raw, {}, FormatOptions(registry=registry))


def _body(**fields: Any) -> dict[str, Any]:
    whole = {
        "name": "shop",
        "repository": "acme/shop",
        "namespace": "acme",
        "docker_url": "quay.io/acme/shop",
        "homepage": "https://quay.io/repository/acme/shop",
        "updated_tags": ["1.2.3"],
    } | fields
    return {key: value for key, value in whole.items() if value is not None}


def test_a_push_becomes_one_event_without_time_digest_and_id() -> None:
    assert _parse(_body()) == Parsed(
        events=(PushEvent(registry="quay.io", repository="acme/shop", tag="1.2.3"),)
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(quay_push("quay.example:8443", "acme/team/shop", ["1.2.3"])).events
    assert event.image == "quay.example:8443/acme/team/shop:1.2.3"


@pytest.mark.parametrize(
    "tags", [["1.2.3", "latest", "1.2"], {"1.2.3": "a1b2", "latest": "a1b2", "1.2": "c3d4"}]
)
def test_every_tag_is_a_push_in_the_new_and_the_very_old_shape(tags: Any) -> None:
    events = _parse(_body(updated_tags=tags)).events
    assert [event.tag for event in events] == ["1.2.3", "latest", "1.2"]
    assert {event.reference.name for event in events} == {"quay.io/acme/shop"}


@pytest.mark.parametrize(
    ("url", "registry", "expected"),
    [
        ("quay.example:8443/acme/shop", None, "quay.example:8443/acme/shop"),
        ("localhost:5000/acme/shop", None, "localhost:5000/acme/shop"),
        ("Quay.Example/Acme/Shop", None, "quay.example/acme/shop"),
        ("quay/acme/shop", "quay.example", "quay.example/acme/shop"),
        ("quay.internal:8080/acme/shop", "quay.example:8443", "quay.example:8443/acme/shop"),
    ],
)
def test_the_host_is_the_first_part_of_the_url_unless_the_receiver_names_one(
    url: str, registry: str | None, expected: str
) -> None:
    (event,) = _parse(_body(docker_url=url), registry).events
    assert event.reference.name == expected


def test_a_bare_host_name_asks_for_the_registry_option() -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(_body(docker_url="quay/acme/shop"))


@pytest.mark.parametrize(
    "fields",
    [
        {"build_id": "b1", "docker_tags": ["1.2.3"], "trigger_kind": "GitHub"},
        {"build_id": "b1", "docker_tags": ["1.2.3"], "image_id": "a1b2"},
        {"tags": ["latest", "prod"], "vulnerability": {"id": "CVE-1", "priority": "High"}},
        {"message": "mirror sync started"},
        {"tags_deleted": ["old"]},
    ],
    ids=["build", "build success", "vulnerability", "mirror", "pruning"],
)
def test_other_notifications_are_no_pushes(fields: dict[str, Any]) -> None:
    parsed = _parse(_body(updated_tags=None, **fields))
    assert parsed == Parsed(dropped=(Dropped("quay.io/acme/shop", Reason.NOT_A_PUSH),))


def test_a_notification_of_a_namespace_is_no_push() -> None:
    body = {"namespace": "acme", "homepage": "https://quay.io/organization/acme"}
    parsed = _parse(body)
    assert parsed.dropped == (Dropped("https://quay.io/organization/acme", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("tags", [[], {}])
def test_a_push_of_no_tag_is_dropped(tags: Any) -> None:
    parsed = _parse(_body(updated_tags=tags))
    assert parsed == Parsed(dropped=(Dropped("quay.io/acme/shop", Reason.UNTAGGED),))


@pytest.mark.parametrize("tag", [None, 7, {}, "a b", "../x", "x" * 300, "-a"])
def test_a_tag_that_cannot_be_read_does_not_lose_the_others(tag: Any) -> None:
    parsed = _parse(_body(updated_tags=["1", tag, "2"]))
    assert [event.tag for event in parsed.events] == ["1", "2"]
    (dropped,) = parsed.dropped
    assert dropped.reason == Reason.MALFORMED
    assert "updated_tags[1]" in dropped.subject


def test_signatures_and_digests_beside_a_tag_are_dropped() -> None:
    tags = ["sha256:" + "ab" * 32, "sha256-" + "ab" * 32 + ".sig", "", "1"]
    parsed = _parse(_body(updated_tags=tags))
    assert [event.tag for event in parsed.events] == ["1"]
    reasons = [item.reason for item in parsed.dropped]
    assert reasons == [Reason.UNTAGGED, Reason.NOT_AN_IMAGE, Reason.UNTAGGED]


@pytest.mark.parametrize("tags", [["1"] * 1001, {f"v{i}": "" for i in range(1001)}])
def test_more_than_a_thousand_tags_are_invalid(tags: Any) -> None:
    with pytest.raises(InvalidPayload, match="more than 1000"):
        _parse(_body(updated_tags=tags))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"text": "a template of the user's own"},
        _body(docker_url=None),
        _body(docker_url=""),
        _body(docker_url=5),
        _body(docker_url="quay.io"),
        _body(docker_url="quay.io/"),
        _body(docker_url="quay.io/acme//shop"),
        _body(docker_url="quay.io/acme/shop:1"),
        _body(docker_url="x" * 513),
        _body(updated_tags="1.2.3"),
        _body(updated_tags=7),
    ],
)
def test_what_is_no_such_notification_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


def test_the_button_test_notification_is_no_push() -> None:
    sample = _body(updated_tags=["latest", "foo"], pruned_image_count=3)
    found = _parse(sample)
    assert found.events == ()
    assert [(item.subject, item.reason) for item in found.dropped] == [
        ("quay.io/acme/shop", "not_a_push")
    ]
