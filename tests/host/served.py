"""A service behind a real server on a real socket, and what tests need to call it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support import PROJECT
from webhook_service.host.app import create_app
from webhook_service.host.limits.protocol import BoundedProtocol
from webhook_service.host.limits.tls import TlsFiles
from webhook_service.host.server import Server, server_config
from webhook_service.model.people.tokens import Role
from webhook_service.net.listener import bind
from webhook_service.service import WebhookService


@dataclass(frozen=True)
class Served:
    """A running host; ``base`` is its address."""

    service: WebhookService
    base: str
    server: Server

    def end(self) -> None:
        """Begin to end the host, as SIGTERM would."""
        self.server.should_exit = True

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    def client(self, role: Role | None = Role.OWNER, project: str = PROJECT) -> httpx.Client:
        """A client with a new token of this role; without one for None."""
        headers = {}
        if role is not None:
            _, secret = self.service.create_token(project, role)
            headers["Authorization"] = f"Bearer {secret}"
        return httpx.Client(base_url=self.base, headers=headers, timeout=20)


# Servers that were told to end and need a moment for it, which no test has to wait for.
ending: list[threading.Thread] = []


@contextmanager
def serving(
    service: WebhookService,
    *,
    protocol: type[BoundedProtocol] = BoundedProtocol,
    files: TlsFiles | None = None,
    **options: Any,
) -> Iterator[Served]:
    """Serve until the end of the block; the service ends with it, soon after."""
    ready = threading.Event()
    addresses: list[str] = []

    def on_ready(url: str) -> None:
        addresses.append(url)
        ready.set()

    server = Server(server_config(create_app(service, **options), protocol), on_ready, files)
    listener = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listener],), name="host-under-test")
    thread.start()
    try:
        assert ready.wait(15), "the host did not start"
        yield Served(service, addresses[0], server)
    finally:
        server.should_exit = True
        ending.append(thread)


def get(client: httpx.Client, path: str, **query: str) -> Any:
    """The JSON of a successful GET."""
    answer = client.get(f"/v1-webhooks{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()
