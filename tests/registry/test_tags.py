"""The tag list of a repository: pages, and registries that do not end."""

from pathlib import Path

import pytest

from tests.registry.conftest import Fake, MakeClient
from tests.servers.canned import reply
from tests.servers.images import build, push
from tests.servers.registry import Registry
from webhook_service.errors import DriverError, Retry
from webhook_service.images import parse_image
from webhook_service.registry.client import MAX_TAG_PAGES, Repository

LIST = "GET /v2/acme/shop/tags/list"


def repository(client: MakeClient, port: int) -> Repository:
    address = f"127.0.0.1:{port}"
    return client(address).repository(parse_image(f"{address}/acme/shop"))


def tags(*names: str, link: str = "") -> bytes:
    body = f'{{"name": "acme/shop", "tags": [{", ".join(names)}]}}'.encode()
    return reply(body=body, **({"Link": link} if link else {}))


def test_a_real_registry_lists_its_tags(
    registry: Registry, client: MakeClient, tmp_path: Path
) -> None:
    image = build(tmp_path / "image")
    for tag in ("2.0.0", "1.0.0"):
        push(image, f"{registry.address}/acme/listed:{tag}")
    found = client(registry.address).repository(parse_image(f"{registry.address}/acme/listed"))
    assert sorted(found.tags()) == ["1.0.0", "2.0.0"]
    missing = client(registry.address).repository(parse_image(f"{registry.address}/acme/none"))
    assert missing.tags() == []


def test_pages_are_followed_on_the_same_registry(fake: Fake, client: MakeClient) -> None:
    away = '<http://elsewhere.invalid/v2/other/tags/list?last=b&n=2>; rel="next"'
    server = fake(
        {
            f"{LIST}?n=1000": tags('"a"', '"b"', link=away),
            f"{LIST}?last=b&n=2": tags('"c"', '"sha256:no tag"', "7"),
        }
    )
    assert repository(client, server.port).tags() == ["a", "b", "c"]


def test_a_list_without_end_is_refused(fake: Fake, client: MakeClient) -> None:
    again = '</v2/acme/shop/tags/list?n=1000>; rel="next"'
    server = fake({f"{LIST}?n=1000": tags('"a"', link=again)})
    with pytest.raises(DriverError, match="follow an exact tag"):
        repository(client, server.port).tags()
    assert len(server.requests) == MAX_TAG_PAGES


def test_tags_of_null_are_none(fake: Fake, client: MakeClient) -> None:
    server = fake({f"{LIST}?n=1000": reply(body=b'{"name": "acme/shop", "tags": null}')})
    assert repository(client, server.port).tags() == []


def test_tags_that_are_no_list_are_refused(fake: Fake, client: MakeClient) -> None:
    server = fake({f"{LIST}?n=1000": reply(body=b'{"tags": {"a": 1}}')})
    with pytest.raises(DriverError, match="tags that are no list"):
        repository(client, server.port).tags()


def test_a_registry_that_fails_is_asked_again_later(fake: Fake, client: MakeClient) -> None:
    server = fake({f"{LIST}?n=1000": reply("503 Service Unavailable")})
    with pytest.raises(Retry):
        repository(client, server.port).tags()
