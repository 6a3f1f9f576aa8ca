"""Bodies of one's own: the receiver says where repository, tag, digest, time and id are."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.formats.generic import Generic, GenericOptions
from webhook_service.model.delivery import Reason

DIGEST = "sha256:" + "ab" * 32
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
PLACES = {"repository": "$.repo", "tag": "$.tag"}


def _parse(body: Any, headers: dict[str, str] | None = None, **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Generic().parse(raw, headers or {}, GenericOptions.model_validate(options))


def test_a_push_is_read_where_the_options_point() -> None:
    body = {
        "build": {"id": 412, "at": "2026-01-02T03:04:05Z"},
        "images": [{"repo": "Registry.example:5000/Acme/shop", "tag": "1.2.3", "sum": DIGEST}],
    }
    parsed = _parse(
        body,
        repository="$.images[0].repo",
        tag="$.images[-1]['tag']",
        digest='$["images"][0].sum',
        time="$.build.at",
        id="$.build.id",
    )
    assert parsed == Parsed(
        events=(
            PushEvent(
                registry="registry.example:5000",
                repository="acme/shop",
                tag="1.2.3",
                digest=DIGEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                source_id="412",
            ),
        )
    )


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("ghcr.io/acme/shop:1.2.3", "ghcr.io/acme/shop:1.2.3"),
        (f"ghcr.io/Acme/shop:1.2.3@{DIGEST}", f"ghcr.io/acme/shop:1.2.3@{DIGEST}"),
        ("localhost:5000/shop:1", "localhost:5000/shop:1"),
        ("acme/shop:1", "docker.io/acme/shop:1"),
        ("nginx:1", "docker.io/library/nginx:1"),
        ("index.docker.io/acme/shop:1", "docker.io/acme/shop:1"),
    ],
)
def test_an_image_may_be_one_reference(reference: str, image: str) -> None:
    (event,) = _parse({"image": reference}, image="$.image").events
    assert event.image == image


@pytest.mark.parametrize(
    ("reference", "subject"),
    [
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
        ("ghcr.io/acme/shop:", "ghcr.io/acme/shop"),
        ("localhost:5000/shop", "localhost:5000/shop"),
        (f"ghcr.io/acme/shop@{DIGEST}", f"ghcr.io/acme/shop@{DIGEST}"),
    ],
)
def test_a_reference_without_tag_is_untagged(reference: str, subject: str) -> None:
    assert _parse({"i": reference}, image="$.i").dropped == (Dropped(subject, Reason.UNTAGGED),)


def test_the_digest_may_stand_beside_the_reference() -> None:
    body = {"i": "ghcr.io/acme/shop:1", "d": DIGEST}
    (event,) = _parse(body, image="$.i", digest="$.d").events
    assert event.digest == DIGEST


@pytest.mark.parametrize(
    ("registry", "host"),
    [("registry.example", "registry.example"), ("$.host", "other.example"), ("$.no", "ghcr.io")],
)
def test_the_registry_option_wins_over_the_repositorys_host(registry: str, host: str) -> None:
    body = {"repo": "ghcr.io/acme/shop", "tag": "1", "host": "other.example"}
    (event,) = _parse(body, **PLACES, registry=registry).events
    assert event.registry == host


def test_repository_and_registry_may_be_plain_texts() -> None:
    options = {"repository": "acme/shop", "registry": "ghcr.io", "tag": "$.version"}
    (event,) = _parse({"version": "1.2.3"}, **options).events
    assert event.image == "ghcr.io/acme/shop:1.2.3"


@pytest.mark.parametrize(
    ("registry", "home"), [(None, None), ("ghcr.io", "ghcr.io"), ("$.host", None)]
)
def test_only_a_plain_registry_is_home_to_all_pushes(registry: str | None, home: str) -> None:
    options = GenericOptions(image="$.i", registry=registry)
    assert Generic().home(options) == home


@pytest.mark.parametrize(("tag", "text"), [(7, "7"), (0, "0"), (20260105, "20260105"), ("1", "1")])
def test_a_whole_number_is_a_tag(tag: Any, text: str) -> None:
    (event,) = _parse({"repo": "acme/shop", "tag": tag}, **PLACES).events
    assert event.tag == text


@pytest.mark.parametrize("tag", [1.5, 1.0, True, [], {}, ["1"], "x" * 513, "a\nb", "a b", -1])
def test_what_is_no_text_or_whole_number_is_no_tag(tag: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse({"repo": "acme/shop", "tag": tag}, **PLACES)


@pytest.mark.parametrize("body", [{"repo": "acme/shop"}, {"repo": "acme/shop", "tag": None}])
@pytest.mark.parametrize("tag", ["$.tag", "$.tag.name", "$.tag[0]", "cel: body.tag"])
def test_an_empty_place_is_no_tag(body: Any, tag: str) -> None:
    parsed = _parse(body, repository="$.repo", tag=tag)
    assert parsed.dropped == (Dropped("docker.io/acme/shop", Reason.UNTAGGED),)


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (1767323045, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("yesterday", None),
        (True, None),
        (None, None),
    ],
)
def test_a_time_is_rfc_3339_or_seconds(time: Any, moment: datetime | None) -> None:
    (event,) = _parse({"repo": "a/b", "tag": "1", "t": time}, **PLACES, time="$.t").events
    assert event.pushed_at == moment


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("cel: body.status == 'done' ? body.tag : ''", "1.2.3"),
        ("cel:body.tag", "1.2.3"),
        ("cel: 'v' + body.tag", "v1.2.3"),
        ("cel: body.n", "7"),
        ("cel: body.tag // the version", "1.2.3"),
        ("cel: has(body.nope) ? body.nope : body.tag", "1.2.3"),
        ("cel: body.ref.substring(11)", "1.1.0"),
        ("cel: body.ref.split('/')[2]", "v1.1.0"),
        ("cel: body.ref.replace('refs/tags/', '').lowerAscii().trim()", "v1.1.0"),
        ("cel: body.ref.substring(body.ref.lastIndexOf('/') + 1)", "v1.1.0"),
        ("cel: body.all.filter(t, t.startsWith('v'))[0]", "v2"),
    ],
)
def test_cel_can_decide(tag: str, found: str) -> None:
    body = {
        "repo": "acme/shop",
        "tag": "1.2.3",
        "status": "done",
        "n": 7,
        "ref": "refs/tags/v1.1.0",
        "all": ["1", "v2"],
    }
    (event,) = _parse(body, repository="$.repo", tag=tag).events
    assert event.tag == found


@pytest.mark.parametrize(
    "tag",
    ["cel: 1 / 0", "cel: body.tag + 1", "cel: body.repo.x", "cel: 9e99", "cel: true"],
)
def test_cel_that_fails_on_a_body_is_invalid_payload(tag: str) -> None:
    with pytest.raises(InvalidPayload, match=r"source\.tag"):
        _parse({"repo": "acme/shop", "tag": "1"}, repository="$.repo", tag=tag)


@pytest.mark.parametrize("tag", ["cel: body", "cel: body.l", "cel: b'x'"])
def test_what_cel_gives_beside_scalars_is_nothing(tag: str) -> None:
    parsed = _parse({"repo": "acme/shop", "l": ["1"]}, repository="$.repo", tag=tag)
    assert parsed.dropped[0].reason == Reason.UNTAGGED


def test_cel_costs_no_more_for_a_large_body() -> None:
    body = {"repo": "acme/shop", "tag": "1", "rest": ["x"] * 200_000}
    assert len(_parse(body, repository="$.repo", tag="cel: body.tag").events) == 1
    with pytest.raises(InvalidPayload, match=r"`source.tag` fails on the body: it takes too many"):
        _parse(body, repository="$.repo", tag="cel: body.rest.all(x, x == 'x') ? '1' : '2'")


def test_a_form_is_an_object_of_texts() -> None:
    body = b"repo=acme%2Fshop&tag=1.2.3&note=&more=a+b"
    (event,) = _parse(body, FORM, **PLACES).events
    assert event.image == "docker.io/acme/shop:1.2.3"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"repo=a/b&tag=1&tag=2",
        b"repo",
        b"repo=a/b&tag=%FF",
        b"repo=a/b&tag=\xff",
        b"repo=a/b&tag=%00",
        b"repo=a/b&tag=1&" + b"&".join(b"f%d=" % i for i in range(1000)),
        b'{"repo": "a/b", "tag": "1"}',
    ],
)
def test_what_is_no_such_form_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body, FORM, **PLACES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        {},
        {"tag": "1"},
        {"repo": "", "tag": "1"},
        {"repo": 7.5, "tag": "1"},
        {"repo": "a//b", "tag": "1"},
        {"repo": "a/b:1", "tag": "1"},
        {"repo": "../b", "tag": "1"},
        {"repo": "a/b", "tag": "1", "digest": "sha256:no"},
        {"repo": "a/b", "tag": "1", "id": "x\n"},
        {"repo": "a/b", "tag": "1", "id": {}},
    ],
)
def test_what_is_no_such_push_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body, **PLACES, digest="$.digest", id="$.id")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "Say where the image is"),
        ({"repository": "$.a"}, "Say where the image is"),
        ({"tag": "$.a"}, "Say where the image is"),
        ({"image": "$.a", "tag": "$.b"}, "either `image`"),
        ({"image": "$.a", "repository": "$.b"}, "either `image`"),
        ({"image": "acme/shop:1"}, "Write a JSONPath"),
        ({"image": "a.b"}, "Write a JSONPath"),
        ({"image": "$."}, "no JSONPath"),
        ({"image": "$.a["}, "no JSONPath"),
        ({"image": "$[" * 100}, "no JSONPath"),
        ({"image": "$.a[99999999999999999999]"}, "no JSONPath"),
        ({"image": "$.*"}, "must name one place"),
        ({"image": "$..image"}, "must name one place"),
        ({"image": "$.a[0:2]"}, "must name one place"),
        ({"image": "$.a[0,1]"}, "must name one place"),
        ({"image": "$.a[?@.b == 1]"}, "must name one place"),
        ({"image": "$.a[?search(@.b, '(a+)+$')]"}, "must name one place"),
        ({"image": "$.a" + "b" * 256}, "at most 256"),
        ({"image": "$.é"}, "printable ASCII"),
        ({"image": ""}, "at least 1"),
        ({"image": "cel:"}, "no CEL expression"),
        ({"image": "cel: body."}, "no CEL expression"),
        ({"image": "cel: 1)] + [(2"}, "no CEL expression"),
        ({"image": "cel: bdy.image"}, "no variable 'bdy'; did you mean body"),
        ({"image": "cel: nosuch(body.ref)"}, "no function 'nosuch'"),
        ({"image": "cel: body.ref.substring()"}, "is written string.substring"),
        ({"image": "cel: " + "(" * 240}, "brackets"),
        ({"images": "$.a"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_work_are_refused_when_saved(
    options: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        GenericOptions.model_validate(options)


def test_the_options_have_a_schema_of_texts() -> None:
    fields = GenericOptions.model_json_schema()["properties"]
    assert {"image", "repository", "tag", "digest", "time", "id", "registry"} == fields.keys()
    assert all(field["description"] for field in fields.values())


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["acme/shop", "1.2.3", DIGEST, "ghcr.io/a/b:1"]),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["repo", "tag", "digest", "id", "t"]), some)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "options",
    [
        {**PLACES, "digest": "$.digest", "id": "$.id", "time": "$.t"},
        {"image": "$[0].repo", "registry": "$.tag"},
        {"image": "cel: body.repo + ':' + body.tag", "time": "cel: body.t", "id": "cel: body.id"},
    ],
)
@settings(max_examples=150, deadline=None, database=None)
@given(value=VALUES)
def test_any_json_is_parsed_or_invalid(options: dict[str, str], value: Any) -> None:
    try:
        parsed = _parse(json.dumps(value).encode(), **options)
    except InvalidPayload as exc:
        assert exc.message
    else:
        assert isinstance(parsed, Parsed)
