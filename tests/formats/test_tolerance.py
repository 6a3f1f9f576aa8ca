"""What nobody reads keeps no push from being deployed, and what is read is never ambiguous."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.auto import Auto, AutoOptions
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.ecr import Ecr
from webhook_service.formats.format import FormatOptions
from webhook_service.formats.google import Google
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.samples_cloud import ecr_push

OPTIONS = FormatOptions()
AUTO = Auto().bind(AutoOptions(), {"dockerhub": DockerHub})
UNREAD = [
    pytest.param('"description": "cut \\ud83d"', id="half a surrogate pair"),
    pytest.param('"description": "a\\u0000b"', id="NUL"),
    pytest.param('"note": 1, "note": 2', id="a field twice"),
    pytest.param('"more": {"note": {"a": 1, "a": 2}}', id="a field twice further in"),
    pytest.param('"\\udc00": 1', id="half a surrogate pair as a name"),
]


def with_more(body: bytes, more: str, place: str) -> bytes:
    """A body with more in the object that stands at a place."""
    text = body.decode()
    return text.replace(place, f"{place}{more}, ", 1).encode()


def one(parsed: Any) -> PushEvent:
    (event,) = parsed.events
    assert isinstance(event, PushEvent)
    return event


@pytest.mark.parametrize("more", UNREAD)
@pytest.mark.parametrize(
    "read", [DockerHub().parse, Auto().bind(AutoOptions(), {"dockerhub": DockerHub}).parse]
)
def test_a_fault_in_a_field_that_nobody_reads_refuses_no_push(
    read: Callable[..., Any], more: str
) -> None:
    body = dockerhub_push("acme/shop", "1.2.3")
    place = '"repository":{' if b'"repository":{' in body else '"repository": {'
    options: Any = AutoOptions() if "Auto" in str(read) else OPTIONS
    event = one(read(with_more(body, more, place), {}, options))
    assert (event.repository, event.tag) == ("acme/shop", "1.2.3")


@pytest.mark.parametrize(
    "more",
    [
        '"repo_name": "acme/evil"',
        '"repo_name": "acme/sh\\ud83dop"',
    ],
)
def test_a_fault_in_a_field_that_is_read_refuses_the_push(more: str) -> None:
    body = json.dumps({"push_data": {"tag": "1"}, "repository": {"repo_name": "acme/shop"}})
    if "ud83d" in more:
        text = body.replace('"repo_name": "acme/shop"', more)
    else:
        text = body.replace('"repository": {', '"repository": {' + more + ", ")
    with pytest.raises(InvalidPayload, match="repo_name"):
        DockerHub().parse(text.encode(), {}, OPTIONS)


def test_a_tag_that_stands_twice_is_refused() -> None:
    body = b'{"push_data": {"tag": "1", "tag": "2"}, "repository": {"repo_name": "acme/shop"}}'
    with pytest.raises(InvalidPayload, match="twice"):
        DockerHub().parse(body, {}, OPTIONS)


def test_what_is_only_shown_counts_as_missing_if_it_stands_twice() -> None:
    fields = Fields.of(read_known(b'{"a": "x", "a": "y", "b": {}, "b": {}, "c": "z"}'))
    assert (fields.note("a"), fields.part("b").values, fields.note("c")) == (None, {}, "z")
    assert fields.has("a")
    for read in (fields.text, fields.optional_text, fields.child):
        with pytest.raises(InvalidPayload, match="`a` stands twice"):
            read("a")
    with pytest.raises(InvalidPayload, match="twice"):
        fields.values["a"]
    with pytest.raises(InvalidPayload, match="twice"):
        fields.values.get("a")


@pytest.mark.parametrize(
    "digest", ["sha256:7f5b2640", "sha256:7f5b...2640", "sha256:7f5b…", "sha512:ab"]
)
def test_a_shortened_digest_leaves_the_tag(digest: str) -> None:
    event = one(Ecr().parse(ecr_push("shop", "1", digest), {}, OPTIONS))
    assert (event.tag, event.digest) == ("1", None)


def test_a_shortened_digest_alone_is_no_push() -> None:
    change = {"action": "INSERT", "digest": "eu-docker.pkg.dev/p/r/shop@sha256:6ec128e26cd5"}
    (dropped,) = Google().parse(json.dumps(change).encode(), {}, OPTIONS).dropped
    assert dropped.reason == "untagged"


@pytest.mark.parametrize("digest", ["sha256:xyz", "sha1:ab", "latest", "sha256:" + "A" * 64])
def test_what_is_no_digest_at_all_is_refused(digest: str) -> None:
    with pytest.raises(InvalidPayload, match="not a digest"):
        Ecr().parse(ecr_push("shop", "1", digest), {}, OPTIONS)
