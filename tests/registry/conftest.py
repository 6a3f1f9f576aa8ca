"""Registries to ask: Debian's with three kinds of login, and canned ones for faults."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.servers.canned import Canned, routing
from tests.servers.registry import PASSWORD, USER, Registry, htpasswd
from tests.servers.token_server import TokenServer
from webhook_service.driver import PushEvent
from webhook_service.net.outbound import Outbound
from webhook_service.registry.client import RegistryClient
from webhook_service.registry.credentials import DockerConfig

LOOPBACK = (ip_network("127.0.0.0/8"),)
LOGIN = f"{USER}:{PASSWORD}"

MakeClient = Callable[..., RegistryClient]
Fake = Callable[[Mapping[str, Any]], Canned]


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """A registry that everybody may read and write."""
    with Registry() as running:
        yield running


@pytest.fixture(scope="session")
def basic_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(auth=htpasswd(tmp_path_factory.mktemp("basic"))) as running:
        yield running


@pytest.fixture(scope="session")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with TokenServer(tmp_path_factory.mktemp("tokens"), {USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session")
def token_registry(token_server: TokenServer) -> Iterator[Registry]:
    with Registry(auth=token_server.auth) as running:
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def client(stack: ExitStack) -> MakeClient:
    """Called with the registry's address (and a Docker config), it gives a client for it."""

    def client(
        address: str, config: Mapping[str, Any] | None = None, **options: Any
    ) -> RegistryClient:
        outbound = Outbound(allow_private=LOOPBACK, timeout=5.0)
        stack.callback(outbound.close)
        logins = DockerConfig.parse(json.dumps(config or {}).encode())
        return RegistryClient(outbound, logins, **{"insecure": [address]} | options)

    return client


@pytest.fixture
def fake(stack: ExitStack) -> Fake:
    """A registry that answers `GET /path` as told."""

    def fake(routes: Mapping[str, Any]) -> Canned:
        return stack.enter_context(Canned(routing(routes)))

    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "image"


def event(address: str, tag: str | None = "1.2.3", **more: Any) -> PushEvent:
    values = {"registry": address, "repository": "acme/shop", "tag": tag} | more
    return PushEvent(**values)


def auths(address: str, login: str = LOGIN) -> dict[str, Any]:
    username, _, password = login.partition(":")
    return {"auths": {address: {"username": username, "password": password}}}
