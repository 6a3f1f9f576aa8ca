"""A middleware around the host that breaks ASGI stops its own call, and no other."""

import asyncio
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.driver import Wait
from webhook_service.host.app import create_app
from webhook_service.host.http.body import BodyLimits
from webhook_service.host.http.disconnect import disconnected
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver

Hook = tuple[WebhookService, str]


def scope(key: str, prefer: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/v1-webhooks/endpoint",
        "raw_path": b"/v1-webhooks/endpoint",
        "root_path": "",
        "query_string": f"key={key}&projectId={PROJECT}".encode(),
        "headers": [(b"content-type", b"application/json"), (b"prefer", prefer.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def call(service: WebhookService, key: str, first: Message, then: Message) -> tuple[int, int]:
    """The status of a call, and how often another task of the loop could run meanwhile."""
    messages, turns, statuses = [first], 0, list[int]()

    async def receive() -> Message:
        return messages.pop() if messages else then

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.05)

    beside = asyncio.create_task(others())
    app = create_app(service, manage_service=False, limits=BodyLimits(seconds=1.0))
    await app(scope(key, "wait=1"), receive, send)
    beside.cancel()
    return statuses[0], turns


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    """A service, and the key of a receiver whose push does not end soon."""
    with make_service(sqlite_url(tmp_path)) as service:
        driver = service.drivers.get("stub")
        assert isinstance(driver, StubDriver)
        driver.steps = [Wait(60, {})]
        yield service, add_receiver(service)[1]


def test_empty_messages_after_the_body_end_no_wait_and_stop_nobody(hook: Hook) -> None:
    body = {"type": "http.request", "body": dockerhub_push("acme/shop", "1.2.3")}
    found = asyncio.run(call(*hook, body, {"type": "http.request", "body": b""}))
    assert found[0] == 202 and found[1] > 5


def test_a_body_of_endless_nothing_is_ended_by_its_time_limit(hook: Hook) -> None:
    nothing = {"type": "http.request", "body": b"", "more_body": True}
    found = asyncio.run(call(*hook, nothing, nothing))
    assert found[0] == 408 and found[1] > 5


def test_it_waits_for_the_end_of_the_connection() -> None:
    messages: list[Message] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

    async def receive() -> Message:
        return messages.pop()

    asyncio.run(disconnected(receive))
    assert messages == []
