"""Artifactory: the name is in the path, and the host is where the receiver says."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.formats.jfrog import JFrog, JFrogOptions
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import jfrog_push

DIGEST = "sha256:" + "ab" * 32
HOST = "acme.jfrog.io"
PUSH = jfrog_push(HOST, "docker-local", "team/shop", "1.2.3", DIGEST)


def _parse(body: Any, **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return JFrog().parse(raw, {}, JFrogOptions.model_validate(options))


def _name(body: Any, **options: Any) -> str:
    (event,) = _parse(body, **options).events
    return event.reference.name


def _body(data: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = json.loads(PUSH)
    whole = whole | {"data": _cleaned(whole["data"] | (data or {}))} | fields
    return _cleaned(whole)


def _cleaned(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def test_a_push_becomes_one_event() -> None:
    assert _parse(PUSH) == Parsed(
        events=(
            PushEvent(
                registry=HOST,
                repository="docker-local/team/shop",
                tag="1.2.3",
                digest=DIGEST,
                actor="ada",
            ),
        )
    )


def test_the_flat_form_needs_the_registry_option() -> None:
    flat = jfrog_push(HOST, "docker-local", "team/shop", "1.2.3", DIGEST, flat=True)
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(flat)
    (event,) = _parse(flat, registry=HOST).events
    assert event.image == f"{HOST}/docker-local/team/shop:1.2.3@{DIGEST}"


def test_a_server_without_its_address_needs_the_registry_option() -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(_body(jpd_origin=None))
    assert _name(_body(jpd_origin=None), registry=HOST) == f"{HOST}/docker-local/team/shop"


@pytest.mark.parametrize("name", ["busybox", "foo/bar/busybox", "evil", None])
def test_the_image_name_is_not_read(name: str | None) -> None:
    body = _body({"path": "foo/bar/busybox/1.0/list.manifest.json", "image_name": name})
    assert _name(body) == f"{HOST}/docker-local/foo/bar/busybox"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://acme.jfrog.io/artifactory", HOST),
        ("https://ACME.jfrog.io", HOST),
        ("http://artifactory.acme.example:8082", "artifactory.acme.example:8082"),
        ("https://user:password@acme.jfrog.io/", HOST),
    ],
)
def test_the_host_is_that_of_the_origin(origin: str, host: str) -> None:
    assert _name(_body(jpd_origin=origin)) == f"{host}/docker-local/team/shop"


@pytest.mark.parametrize("origin", ["", "acme", "https://", "https://[", "https://a b", "//acme"])
def test_an_origin_without_a_registry_host_is_invalid(origin: str) -> None:
    with pytest.raises(InvalidPayload):
        _parse(_body(jpd_origin=origin))


def test_the_repository_key_can_be_a_subdomain() -> None:
    assert _name(PUSH, repoKeyInHost=True) == "docker-local.acme.jfrog.io/team/shop"
    assert (
        _name(PUSH, repoKeyInHost=True, registry="docker.acme.example")
        == "docker-local.docker.acme.example/team/shop"
    )


@pytest.mark.parametrize("key", ["evil.example/x", "a.b", "-a", "a_b", "a\n", "é", "a" * 64, ""])
def test_a_key_that_would_change_the_host_is_invalid(key: str) -> None:
    with pytest.raises(InvalidPayload):
        _parse(_body({"repo_key": key}), repoKeyInHost=True)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("acme.jfrog.io/docker-virtual", "acme.jfrog.io/docker-virtual/team/shop"),
        ("docker.acme.example", "docker.acme.example/team/shop"),
        ("docker.acme.example/", "docker.acme.example/team/shop"),
        ("docker.acme.example:8443", "docker.acme.example:8443/team/shop"),
    ],
)
def test_a_repository_behind_another_name_is_mapped(place: str, name: str) -> None:
    assert _name(PUSH, repositories={"docker-local": place}, repoKeyInHost=True) == name
    other = _name(_body({"repo_key": "other"}), repositories={"docker-local": place})
    assert other == f"{HOST}/other/team/shop"


@pytest.mark.parametrize("place", ["", "acme", "https://acme.jfrog.io", "acme.jfrog.io//", "a b/c"])
def test_a_mapping_to_no_registry_is_refused(place: str) -> None:
    with pytest.raises(ValidationError):
        JFrogOptions.model_validate({"repositories": {"docker-local": place}})


@pytest.mark.parametrize(
    ("options", "home"),
    [
        ({}, None),
        ({"registry": HOST}, HOST),
        ({"registry": HOST, "repoKeyInHost": True}, None),
        ({"registry": HOST, "repositories": {"a": f"{HOST}/b"}}, HOST),
        ({"registry": HOST, "repositories": {"a": "other.example"}}, None),
        ({"repositories": {"a": HOST}}, None),
    ],
)
def test_only_a_host_that_no_body_can_change_is_home(
    options: dict[str, Any], home: str | None
) -> None:
    assert JFrog().home(JFrogOptions.model_validate(options)) == home


def test_a_pull_through_a_remote_repository_names_its_cache_which_nothing_runs() -> None:
    body = _body({"repo_key": "docker-remote-cache"})
    assert _name(body) == f"{HOST}/docker-remote-cache/team/shop"


@pytest.mark.parametrize("event_type", ["deleted", "promoted", "PUSHED"])
@pytest.mark.parametrize("flat", [True, False])
def test_only_pushed_tags_are_pushes(event_type: str, flat: bool) -> None:
    body = jfrog_push(HOST, "docker-local", "shop", "1", event_type=event_type, flat=flat)
    subject = f"{event_type} docker-local/shop/1/manifest.json"
    assert _parse(body).dropped == (Dropped(subject, Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("domain", ["artifact", "build", "release_bundle"])
def test_other_domains_are_no_images(domain: str) -> None:
    (dropped,) = _parse(_body(domain=domain, event_type="deployed")).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("image_type", ["docker", "oci", "OCI", None])
def test_images_of_docker_and_oci_repositories_are_taken(image_type: str | None) -> None:
    assert len(_parse(_body({"image_type": image_type})).events) == 1


@pytest.mark.parametrize("image_type", ["helmoci", "helm", "generic"])
def test_other_image_types_are_no_images(image_type: str) -> None:
    (dropped,) = _parse(_body({"image_type": image_type})).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("tag", [None, "", DIGEST])
def test_a_push_without_tag_is_dropped(tag: str | None) -> None:
    assert _parse(_body({"tag": tag})).dropped == (
        Dropped(f"{HOST}/docker-local/team/shop@{DIGEST}", Reason.UNTAGGED),
    )


@pytest.mark.parametrize(
    ("sha256", "digest"), [("AB" * 32, DIGEST), (None, None), ("", None), ("ab" * 32, DIGEST)]
)
def test_the_digest_is_the_bare_sum(sha256: str | None, digest: str | None) -> None:
    (event,) = _parse(_body({"sha256": sha256})).events
    assert event.digest == digest


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"data": {}},
        {"data": []},
        {"domain": "docker", "data": {}},
        _body(domain=None),
        _body(domain=5),
        _body(event_type=None),
        _body({"repo_key": None}),
        _body({"repo_key": "a//b"}),
        _body({"path": None}),
        _body({"path": "manifest.json"}),
        _body({"path": "1.0/manifest.json"}),
        _body({"path": "//1.0/manifest.json"}),
        _body({"path": "a//b/1.0/manifest.json"}),
        _body({"path": "../b/1.0/manifest.json"}),
        _body({"path": "a" * 1025}),
        _body({"tag": "a b"}),
        _body({"tag": 5}),
        _body({"sha256": "no"}),
        _body({"sha256": DIGEST}),
        _body({"image_type": 5}),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
