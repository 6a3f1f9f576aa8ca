"""What the service says about itself: version, schemas, and whether it lives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Guard, no_project
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.api.document.schemas import schemas
from webhook_service.host.http.address import Addresses, path_of
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import read_query
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import Json, answer, collection, version_json
from webhook_service.resources import VersionResource
from webhook_service.service import WebhookService

READY_SECONDS = 1.0


class Readiness:
    """Asks the database for a sign of life, for all who ask at once, and at most once a second.

    Args:
        ping: raises without one.
        clock: seconds that never go back.
    """

    def __init__(
        self, ping: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ping = ping
        self._clock = clock
        self._asked = -inf
        self._answer: asyncio.Future[None] | None = None

    async def check(self) -> None:
        """Raise what the last ping raised."""
        if self._answer is None or self._answer.done() and self._is_old():
            self._asked = self._clock()
            self._answer = asyncio.ensure_future(run_in_threadpool(self._ping))
        await asyncio.shield(self._answer)

    def _is_old(self) -> bool:
        return self._clock() - self._asked >= READY_SECONDS


class Meta:
    """``/v1-webhooks``, its schemas, ``/healthz`` and ``/readyz``."""

    def __init__(self, service: WebhookService, guard: Guard, addresses: Addresses) -> None:
        self._service = service
        self._readiness = Readiness(service.ping)
        self._guard = guard
        self._addresses = addresses

    def routes(self) -> list[Route]:
        """Its routes; schemas alone need credentials."""
        return [
            *by_method("/healthz", GET=self.alive),
            *by_method("/readyz", GET=self.ready),
            *by_method(PREFIX, GET=self.version),
            *by_method(f"{PREFIX}/schemas", GET=self.schemas),
            *by_method(f"{PREFIX}/schemas/{{id:path}}", GET=self.schema),
        ]

    async def alive(self, request: Request) -> Response:
        """200 while the process can do its work; 503 when only a new start helps."""
        if self._service.is_stuck:
            return PlainTextResponse("Too much hangs, or a thread has died: start again.\n", 503)
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """200 when calls can be stored, 503 when not."""
        await self._readiness.check()
        return PlainTextResponse("ok\n")

    @operation(Operation("getVersion", VersionResource, scope="version"))
    async def version(self, request: Request) -> Response:
        """Where everything is; a token's project need not be named."""
        project = read_query(request).get("projectId")
        if not project and request.headers.get("authorization"):
            project = (await self._guard.identify(request)).project
        if not project:
            raise no_project()
        links = self._addresses.links(request, project)
        return answer(links, version_json(links, path_of(request)))

    async def schemas(self, request: Request) -> Response:
        """All schemas."""
        read_query(request)
        await self._guard.identify(request)
        links = self._addresses.links(request)
        data = [schema.as_json(links) for schema in schemas(self._service.drivers.plugins)]
        return answer(links, collection(links, path_of(request), "schema", data))

    async def schema(self, request: Request) -> Response:
        """One schema; of an unknown one only the link, as in v1.6."""
        read_query(request)
        await self._guard.identify(request)
        links = self._addresses.links(request)
        found: Json = {"links": {"self": links.bare(path_of(request))}, "actions": {}}
        for schema in schemas(self._service.drivers.plugins):
            if schema.id.lower() == request.path_params["id"].lower():
                found = schema.as_json(links)
        return answer(links, found)
