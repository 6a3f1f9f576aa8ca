"""GitHub's package events: of a push's many, the one with a tag, under whatever name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.github import GitHub
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_scm import as_form, gitea_package, github_package

DIGEST = "sha256:" + "ab" * 32
INDEX = "application/vnd.oci.image.index.v1+json"
FORM = "application/x-www-form-urlencoded"
HELM = "application/vnd.cncf.helm.config.v1+json"


def _parse(
    body: Any, event: str | None = "package", registry: str | None = None, **headers: str
) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if event is not None:
        named["x-github-event"] = event
    return GitHub().parse(raw, named, FormatOptions(registry=registry))


def _body(
    package: dict[str, Any] | None = None,
    version: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    root: str = "package",
    **fields: Any,
) -> dict[str, Any]:
    container = {
        "tag": {"name": "1.2.3", "digest": DIGEST},
        "manifest": {"digest": DIGEST, "media_type": INDEX},
    } | (metadata or {})
    inner = {
        "version": "sha256:" + "cd" * 32,
        "name": "sha256:" + "cd" * 32,
        "updated_at": "2026-01-02T03:04:05Z",
        "created_at": "2026-01-01T00:00:00Z",
        "container_metadata": container,
        "package_url": "ghcr.io/Acme/shop:1.2.3",
    } | (version or {})
    outer = {
        "name": "shop",
        "namespace": "Acme",
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "owner": {"login": "Acme"},
        "package_version": inner,
    } | (package or {})
    return {"action": "published", root: outer, "sender": {"login": "ada"}} | fields


@pytest.mark.parametrize("event", ["package", "registry_package"])
def test_a_push_becomes_one_event_under_either_name(event: str) -> None:
    assert _parse(_body(root=event), event, x_github_delivery="72d3162e") == Parsed(
        events=(
            PushEvent(
                registry="ghcr.io",
                repository="acme/shop",
                tag="1.2.3",
                digest=DIGEST,
                media_type=INDEX,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                actor="ada",
                source_id="72d3162e",
            ),
        )
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(github_package("Acme/shop", "1.2.3", DIGEST)).events
    assert event.image == f"ghcr.io/acme/shop:1.2.3@{DIGEST}"


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", "", "text/plain"])
def test_a_form_reads_like_json(content_type: str) -> None:
    body = github_package("Acme/shop", "1.2.3", DIGEST)
    assert _parse(as_form(body), content_type=content_type) == _parse(body)


@pytest.mark.parametrize("content_type", ["application/json", FORM, ""])
def test_json_reads_as_json_whatever_its_content_type(content_type: str) -> None:
    body = b"\n " + github_package("acme/shop", "1.2.3")
    assert len(_parse(body, content_type=content_type).events) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"payload=",
        b"payload=%7B",
        b"payload=%FF",
        b"payload=\xff",
        b"payload=%7B%22a%22%3A%22%00%22%7D",
        b"payload=[]",
        b"payload=%7B%7D&payload=%7B%7D",
        b"other=%7B%7D",
        b"payload=%7B%7D" + b"&a=1" * 1000,
        b"",
        b"%7B%7D",
    ],
)
def test_a_form_that_holds_no_json_object_once_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body, content_type=FORM)


@pytest.mark.parametrize("event", ["ping", "push", "release", "workflow_run", "Package"])
def test_other_events_are_no_pushes_whatever_their_body(event: str) -> None:
    parsed = _parse(b'{"zen": "Design for failure."}', event)
    assert parsed == Parsed(dropped=(Dropped(event, Reason.NOT_A_PUSH),))


def test_without_the_event_header_the_shape_decides() -> None:
    assert len(_parse(_body(), None).events) == 1
    assert len(_parse(_body(root="registry_package"), None).events) == 1
    ping = _parse({"zen": "Speak like a human.", "hook_id": 7}, None)
    assert ping.dropped == (Dropped("ping", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("action", ["published", "updated"])
def test_published_and_updated_are_pushes(action: str) -> None:
    assert len(_parse(_body(action=action)).events) == 1


@pytest.mark.parametrize("action", ["deleted", "Published", "created"])
def test_other_actions_are_no_pushes(action: str) -> None:
    parsed = _parse(_body(action=action))
    assert parsed.dropped == (Dropped(f"{action} shop", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize(
    "kinds",
    [
        {"ecosystem": "container", "package_type": "container"},
        {"ecosystem": "CONTAINER", "package_type": None},
        {"ecosystem": None, "package_type": "Docker"},
        {"ecosystem": "docker", "package_type": "npm"},
    ],
)
def test_a_container_package_is_known_by_either_field_in_any_case(kinds: dict[str, Any]) -> None:
    assert len(_parse(_body(kinds)).events) == 1


@pytest.mark.parametrize(
    ("package", "metadata"),
    [
        ({"ecosystem": "npm", "package_type": "npm"}, None),
        ({"ecosystem": "MAVEN", "package_type": None}, None),
        (None, {"manifest": {"media_type": INDEX, "config": {"media_type": HELM}}}),
        (None, {"manifest": {"media_type": HELM}}),
        (None, {"manifest": {"media_type": "application/vnd.oci.artifact.manifest.v1+json"}}),
    ],
)
def test_other_packages_and_charts_are_no_images(
    package: dict[str, Any] | None, metadata: dict[str, Any] | None
) -> None:
    parsed = _parse(_body(package, metadata=metadata))
    assert parsed.dropped == (Dropped("published shop", Reason.NOT_AN_IMAGE),)


@pytest.mark.parametrize(
    ("package", "url", "path"),
    [
        (None, "ghcr.io/Acme/Shop:1.2.3", "acme/shop"),
        (None, "ghcr.io/Acme/shop:", "acme/shop"),
        (None, "ghcr.io/Acme/shop", "acme/shop"),
        (None, f"ghcr.io/Acme/shop@{DIGEST}", "acme/shop"),
        (None, "GHCR.io/Acme/monorepo/shop:1", "acme/monorepo/shop"),
        (None, "", "acme/shop"),
        (None, None, "acme/shop"),
        ({"name": "monorepo/shop"}, None, "acme/monorepo/shop"),
        ({"owner": None}, None, "acme/shop"),
        ({"owner": None, "namespace": "Acme/website"}, None, "acme/shop"),
        ({"owner": {"login": "Acme"}, "namespace": "Other/website"}, None, "acme/shop"),
    ],
)
def test_the_repository_is_the_urls_else_owner_and_name(
    package: dict[str, Any] | None, url: str | None, path: str
) -> None:
    (event,) = _parse(_body(package, {"package_url": url})).events
    assert event.reference.name == f"ghcr.io/{path}"


@pytest.mark.parametrize("url", ["containers.github.example/Acme/shop:1", None])
def test_the_registry_option_is_the_host_of_ones_own_server(url: str | None) -> None:
    body = _body(version={"package_url": url})
    (event,) = _parse(body, registry="Containers.GitHub.example").events
    assert event.reference.name == "containers.github.example/acme/shop"


@pytest.mark.parametrize(
    "url", ["containers.github.example/a/b:1", "docker.pkg.github.com/a/b/c:1"]
)
def test_another_host_is_never_taken_for_ghcr(url: str) -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(_body(version={"package_url": url}))


def test_rules_without_a_host_mean_the_one_registry() -> None:
    assert GitHub().home(FormatOptions()) == "ghcr.io"
    assert GitHub().home(FormatOptions(registry="ghe.example")) == "ghe.example"


@pytest.mark.parametrize(
    "metadata",
    [
        {"tag": {"name": "", "digest": ""}},
        {"tag": {"name": "", "digest": DIGEST}},
        {"tag": {}},
        {"tag": None},
        {"tag": {"name": DIGEST, "digest": DIGEST}},
    ],
)
def test_a_platforms_manifest_is_untagged_and_never_tagged_with_its_digest(
    metadata: dict[str, Any],
) -> None:
    parsed = _parse(_body(version={"package_url": "ghcr.io/Acme/shop:"}, metadata=metadata))
    assert parsed == Parsed(dropped=(Dropped(f"ghcr.io/acme/shop@{DIGEST}", Reason.UNTAGGED),))


@pytest.mark.parametrize(
    "version", [None, {"container_metadata": None}, {"container_metadata": []}]
)
def test_a_version_without_container_metadata_is_untagged(version: dict[str, Any] | None) -> None:
    body = _body({"package_version": None}) if version is None else _body(version=version)
    (dropped,) = _parse(body).dropped
    assert dropped == Dropped("ghcr.io/acme/shop", Reason.UNTAGGED)


def test_a_shortened_digest_without_a_tag_is_no_error() -> None:
    metadata = {"tag": {"name": "", "digest": "sha256:6c62fb45"}, "manifest": {}}
    (dropped,) = _parse(_body(metadata=metadata)).dropped
    assert dropped == Dropped("ghcr.io/acme/shop", Reason.UNTAGGED)


@pytest.mark.parametrize(
    ("metadata", "digest"),
    [
        ({"tag": {"name": "1", "digest": ""}}, DIGEST),
        ({"tag": {"name": "1"}}, DIGEST),
        ({"tag": {"name": "1"}, "manifest": None}, None),
        ({"tag": {"name": "1", "digest": "sha256:" + "ef" * 32}}, "sha256:" + "ef" * 32),
    ],
)
def test_the_digest_is_the_tags_else_the_manifests(
    metadata: dict[str, Any], digest: str | None
) -> None:
    (event,) = _parse(_body(metadata=metadata)).events
    assert event.digest == digest


@pytest.mark.parametrize(
    ("times", "moment"),
    [
        ({"updated_at": None}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"updated_at": "0001-01-01T00:00:00Z"}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"updated_at": "0001-01-01T00:00:00Z", "created_at": "0001-01-01T00:00:00Z"}, None),
        ({"updated_at": 7, "created_at": []}, None),
    ],
)
def test_the_time_is_the_versions_and_never_the_packages(
    times: dict[str, Any], moment: datetime | None
) -> None:
    (event,) = _parse(_body(version=times)).events
    assert event.pushed_at == moment


@pytest.mark.parametrize("delivery", ["", "x" * 256, "a\tb"])
def test_a_delivery_id_that_cannot_be_kept_is_left_out(delivery: str) -> None:
    (event,) = _parse(_body(), x_github_delivery=delivery).events
    assert event.source_id is None


@pytest.mark.parametrize("header", ["x_gitea_event", "x_forgejo_event"])
def test_gitea_is_told_apart_by_its_headers(header: str) -> None:
    with pytest.raises(InvalidPayload, match="Gitea"):
        _parse(gitea_package("gitea.example", "acme/shop", "1"), **{header: "package"})


def test_gitea_without_its_headers_is_invalid() -> None:
    with pytest.raises(InvalidPayload, match="package_type"):
        _parse(gitea_package("gitea.example", "acme/shop", "1"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"action": "published"}',
        {"action": "published", "package": []},
        {"package": {}},
        _body(action=5),
        _body({"ecosystem": None, "package_type": None}),
        _body({"package_type": 5}),
        _body({"name": None}, {"package_url": None}),
        _body({"owner": None, "namespace": None}, {"package_url": None}),
        _body({"owner": {"login": "a b"}}, {"package_url": None}),
        _body(version={"package_url": 5}),
        _body(version={"package_url": "ghcr.io/"}),
        _body(version={"package_url": "ghcr.io/a//b:1"}),
        _body(version={"package_url": "ghcr.io/a/b/" + "x" * 1024}),
        _body(metadata={"tag": {"name": 5}}),
        _body(metadata={"tag": {"name": "a b"}}),
        _body(metadata={"tag": {"name": "1", "digest": "sha256:no"}}),
        _body(metadata={"tag": {"name": "1", "digest": 5}}),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
