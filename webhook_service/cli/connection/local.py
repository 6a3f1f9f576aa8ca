"""The management API of the local database, in this process: no socket, no token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from starlette.requests import HTTPConnection

from webhook_service.host.api.callers.auth import Identity
from webhook_service.host.app import create_app
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService


@dataclass(frozen=True)
class Operator:
    """Authenticates whoever runs the command: who reads the database may do all."""

    person: Actor

    def __call__(self, _: HTTPConnection, /) -> Identity:
        person = self.person
        return Identity(None, Role.OWNER, person.name, via="cli", address=person.address)


class LocalTransport(httpx.BaseTransport):
    """Hands requests to the routes of a service that is open in this process.

    Errors are not made into answers: the command line says more of them than a caller may know.

    Args:
        base_url: what the URLs of receivers begin with.
    """

    def __init__(self, service: WebhookService, person: Actor, base_url: str) -> None:
        app = create_app(
            service, authenticator=Operator(person), base_url=base_url, manage_service=False
        )
        self._transport = httpx.ASGITransport(app.router)
        # The routes wait for threads, and the places in them belong to one loop.
        self._loop = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, wholly read."""
        return self._loop.run(self._answer(request))

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        request.stream = httpx.ByteStream(request.read())
        answer = await self._transport.handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)
