"""Docker Hub's webhook: the push it means, and v1.6's answers to what it cannot mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples import alicloud_push, dockerhub_push

DIGEST = "sha256:" + "ab" * 32


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DockerHub().parse(raw, {}, FormatOptions(registry=registry))


def _body(repository: Any = None, **push: Any) -> dict[str, Any]:
    return {
        "push_data": {"tag": "1.2.3", **push},
        "repository": {"repo_name": "acme/shop"} if repository is None else repository,
    }


def test_a_push_becomes_one_event() -> None:
    (event,) = _parse(dockerhub_push("acme/shop", "1.2.3")).events
    assert event == PushEvent(
        registry="docker.io",
        repository="acme/shop",
        tag="1.2.3",
        pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        actor="ada",
    )


def test_the_minimal_body_that_v1_6_took_becomes_an_event() -> None:
    (event,) = _parse(_body()).events
    assert event.image == "docker.io/acme/shop:1.2.3"
    assert event.pushed_at is event.actor is event.digest is event.source_id is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "No Payload recevied from webhook"),
        (b"  \n", "No Payload recevied from webhook"),
        (b"null", "No Payload recevied from webhook"),
        (b"[1,2]", "Body should be of type map[string]interface{}"),
        (b'"text"', "Body should be of type map[string]interface{}"),
        ({"x": 1}, "Incomplete webhook response provided"),
        ({"push_data": None}, "Incomplete webhook response provided"),
        ({"push_data": [1], "repository": {}}, "Incomplete webhook response provided"),
        ({"push_data": {}, "repository": {"repo_name": "a/b"}}, "Webhook response contains no tag"),
        ({"push_data": {"tag": None}}, "Webhook response contains no tag"),
        ({"push_data": {"tag": 1}}, "Webhook response contains no tag"),
        ({"push_data": {"tag": "1"}}, "Response provided without repository information"),
        (_body(repository=[]), "Response provided without repository information"),
        (_body(repository={}), "Response provided without image name"),
        (_body(repository={"repo_name": ""}), "Response provided without image name"),
        (_body(repository={"name": "shop"}), "Response provided without image name"),
    ],
)
def test_an_incomplete_body_is_answered_in_the_words_of_v1_6(body: Any, message: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        _parse(body)
    assert caught.value.message == message
    assert caught.value.status == 400


def test_unreadable_json_is_invalid() -> None:
    with pytest.raises(InvalidPayload, match="not valid JSON"):
        _parse(b"{not json")


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("acme/shop", "docker.io/acme/shop"),
        ("Acme/Shop", "docker.io/acme/shop"),
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/acme/shop", "docker.io/acme/shop"),
        ("registry.example.com/acme/team/shop", "registry.example.com/acme/team/shop"),
        ("registry.example.com:5000/shop", "registry.example.com:5000/shop"),
        ("Registry.Example.com/Shop", "registry.example.com/shop"),
        ("localhost/shop", "localhost/shop"),
        ("localhost:5000/acme/shop", "localhost:5000/acme/shop"),
        ("[::1]:5000/shop", "[::1]:5000/shop"),
    ],
)
def test_the_repository_is_normalised(name: str, image: str) -> None:
    (event,) = _parse(_body(repository={"repo_name": name})).events
    assert event.reference.name == image


def test_namespace_and_name_stand_in_for_a_missing_full_name() -> None:
    (event,) = _parse(_body(repository={"namespace": "acme", "name": "shop"})).events
    assert event.repository == "acme/shop"


def test_alibaba_clouds_body_is_not_read_as_a_docker_hub_repository() -> None:
    with pytest.raises(InvalidPayload, match="without image name"):
        _parse(alicloud_push("acme/shop", "1.2.3"))


@pytest.mark.parametrize("name", ["acme/shop", "docker.io/acme/shop", "other.example/acme/shop"])
def test_the_registry_option_wins_over_the_body(name: str) -> None:
    (event,) = _parse(_body(repository={"repo_name": name}), registry="mirror.example").events
    assert event.reference.name == "mirror.example/acme/shop"


def test_the_callback_url_decides_nothing() -> None:
    callback = {"callback_url": "https://evil.example/u/evil/image/hook/1/"}
    assert _parse(_body() | callback) == _parse(_body())


@pytest.mark.parametrize(
    "name",
    [
        "acme//shop",
        "/shop",
        "acme/",
        "acme/shop:1.0",
        f"acme/shop@{DIGEST}",
        "acme/../shop",
        "acme/shop\n",
        "acme/shop ",
        "https://docker.io/acme/shop",
        "acme/sh\u00f6p",
        "acme/boo\u212a",
        "a" * 300,
        "acme/" + "a" * 252,
        5,
        ["acme/shop"],
    ],
)
def test_what_is_no_repository_is_invalid(name: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(_body(repository={"repo_name": name}))


@pytest.mark.parametrize("tag", ["a b", ".x", "-x", "a/b", "a:b", "v1\n", "\u00e9", "x" * 129])
def test_what_no_registry_takes_as_a_tag_is_invalid(tag: str) -> None:
    with pytest.raises(InvalidPayload, match="not a tag"):
        _parse(_body(tag=tag))


@pytest.mark.parametrize("tag", ["", DIGEST, "sha256:abc"])
def test_a_push_without_a_tag_of_its_own_is_dropped(tag: str) -> None:
    assert _parse(_body(tag=tag)).dropped == (Dropped("docker.io/acme/shop", Reason.UNTAGGED),)


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom", ""])
def test_a_signature_is_not_an_image(suffix: str) -> None:
    parsed = _parse(_body(tag="sha256-" + "ab" * 32 + suffix))
    assert [item.reason for item in parsed.dropped] == [Reason.NOT_AN_IMAGE]
    assert not parsed.events


def test_a_helm_chart_is_not_an_image() -> None:
    parsed = _parse(_body(media_type="application/vnd.cncf.helm.config.v1+json"))
    assert [item.reason for item in parsed.dropped] == [Reason.NOT_AN_IMAGE]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1417566161", datetime(2014, 12, 3, 0, 22, 41, tzinfo=UTC)),
        ("1.417566161e+09", datetime(2014, 12, 3, 0, 22, 41, tzinfo=UTC)),
        ("1417566161.5", datetime(2014, 12, 3, 0, 22, 41, 500_000, tzinfo=UTC)),
        ("null", None),
        ("true", None),
        ('"1417566161"', None),
        ("[]", None),
        ("0", None),
        ("-5", None),
        ("1417566161000", None),
        ("1e300", None),
        ("1" + "0" * 399, None),
    ],
)
def test_a_time_is_read_or_left_out(written: str, moment: datetime | None) -> None:
    push = b'{"tag": "1", "pushed_at": ' + written.encode() + b"}"
    body = b'{"push_data": ' + push + b', "repository": {"repo_name": "acme/shop"}}'
    (event,) = _parse(body).events
    assert event.pushed_at == moment


@pytest.mark.parametrize("pusher", [None, 7, "", "x" * 256, "ada\nroot"])
def test_a_pusher_that_cannot_be_shown_is_left_out(pusher: Any) -> None:
    (event,) = _parse(_body(pusher=pusher)).events
    assert event.actor is None


def test_copies_of_one_multi_platform_push_read_alike() -> None:
    first, second = _body(pushed_at=1417566161, images=[]), _body(pushed_at=1417566161, images=[])
    second["repository"]["star_count"] = 8
    assert _parse(first) == _parse(second)
