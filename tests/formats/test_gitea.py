"""Gitea's and Forgejo's package events: versions are tags, except those that are digests."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.formats.gitea import Gitea
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_scm import as_form, gitea_package, github_package

DIGEST = "sha256:" + "ab" * 32
PAGE = "https://gitea.example:3000/Acme/-/packages/container/shop/1.2.3"


def _parse(body: Any, headers: dict[str, str] | None = None, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"x-gitea-event": "package"} if headers is None else headers
    return Gitea().parse(raw, named, FormatOptions(registry=registry))


def _body(package: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = {
        "id": 42,
        "owner": {"login": "Acme"},
        "repository": None,
        "type": "container",
        "name": "shop",
        "version": "1.2.3",
        "html_url": PAGE,
        "created_at": "2026-01-02T04:04:05+01:00",
    } | (package or {})
    return {"action": "created", "package": whole, "sender": {"login": "ada"}} | fields


@pytest.mark.parametrize("brand", ["gitea", "forgejo"])
def test_a_push_becomes_one_event(brand: str) -> None:
    headers = {
        f"x-{brand}-event": "package",
        f"x-{brand}-delivery": "f6266f16",
        "x-github-event": "package",
        "x-github-delivery": "other",
    }
    assert _parse(_body(), headers) == Parsed(
        events=(
            PushEvent(
                registry="gitea.example:3000",
                repository="acme/shop",
                tag="1.2.3",
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                actor="ada",
                source_id="f6266f16",
            ),
        )
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(gitea_package("gitea.example", "acme/team/shop", "RC.1")).events
    assert event.image == "gitea.example/acme/team/shop:rc.1"


def test_a_form_reads_like_json() -> None:
    body = gitea_package("gitea.example", "acme/shop", "1.2.3")
    headers = {"x-gitea-event": "package", "content-type": "application/x-www-form-urlencoded"}
    assert _parse(as_form(body), headers) == _parse(body)


@pytest.mark.parametrize("repository", [None, {"full_name": "acme/website"}])
def test_the_repository_it_is_linked_to_does_not_matter(repository: Any) -> None:
    (event,) = _parse(_body({"repository": repository})).events
    assert event.repository == "acme/shop"


@pytest.mark.parametrize(
    ("headers", "event"),
    [
        ({"x-gitea-event": "push", "x-github-event": "package"}, "push"),
        ({"x-forgejo-event": "release", "x-github-event": "package"}, "release"),
        ({"x-github-event": "issues"}, "issues"),
    ],
)
def test_other_events_are_no_pushes_by_the_senders_own_header(
    headers: dict[str, str], event: str
) -> None:
    assert _parse(b"{}", headers) == Parsed(dropped=(Dropped(event, Reason.NOT_A_PUSH),))


@pytest.mark.parametrize("headers", [{}, {"x-github-event": "package"}])
def test_without_the_senders_headers_the_shape_decides(headers: dict[str, str]) -> None:
    assert len(_parse(_body(), headers).events) == 1
    with pytest.raises(InvalidPayload, match="GitHub"):
        _parse(github_package("acme/shop", "1"), headers)


@pytest.mark.parametrize("action", ["deleted", "Created", "updated"])
def test_other_actions_are_no_pushes(action: str) -> None:
    parsed = _parse(_body(action=action))
    assert parsed.dropped == (Dropped(f"{action} shop", Reason.NOT_A_PUSH),)


@pytest.mark.parametrize("kind", ["npm", "helm", "generic", "Container"])
def test_other_packages_are_no_images(kind: str) -> None:
    parsed = _parse(_body({"type": kind}))
    assert parsed.dropped == (Dropped("created shop", Reason.NOT_AN_IMAGE),)


def test_a_platforms_manifest_is_untagged() -> None:
    parsed = _parse(_body({"version": DIGEST}))
    subject = f"gitea.example:3000/acme/shop@{DIGEST}"
    assert parsed == Parsed(dropped=(Dropped(subject, Reason.UNTAGGED),))


def test_a_signature_is_no_image() -> None:
    (dropped,) = _parse(_body({"version": "sha256-" + "ab" * 32 + ".sig"})).dropped
    assert dropped.reason == Reason.NOT_AN_IMAGE


@pytest.mark.parametrize(
    ("url", "registry", "expected"),
    [
        (PAGE, None, "gitea.example:3000"),
        (PAGE, "registry.example", "registry.example"),
        ("http://LOCALHOST:3000/git/Acme/-/packages", None, "localhost:3000"),
        ("https://a:b@gitea.example/x", None, "gitea.example"),
        (None, "registry.example", "registry.example"),
    ],
)
def test_the_registry_is_the_option_else_the_pages_host(
    url: str | None, registry: str | None, expected: str
) -> None:
    (event,) = _parse(_body({"html_url": url}), registry=registry).events
    assert event.registry == expected


@pytest.mark.parametrize("url", [None, "", 5, "/acme/-/packages", "https://[bad/x", "gitea/x"])
def test_a_page_without_a_host_asks_for_the_registry_option(url: Any) -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(_body({"html_url": url}))


@pytest.mark.parametrize("written", [None, 7, "yesterday", "0001-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_left_out(written: Any) -> None:
    (event,) = _parse(_body({"created_at": written})).events
    assert event.pushed_at is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"payload=%7B%7D",
        {"action": "created"},
        {"action": "created", "package": "x"},
        {"package": {}},
        _body(action=5),
        _body({"type": None}),
        _body({"type": 5}),
        _body({"name": None}),
        _body({"name": "a b"}),
        _body({"version": None}),
        _body({"version": "a b"}),
        _body({"owner": None}),
        _body({"owner": {"login": ""}}),
        _body({"owner": {"login": "evil.example/x y"}}),
        _body({"html_url": "https://gitea/acme"}),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
