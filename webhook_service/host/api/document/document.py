"""The OpenAPI document over HTTP: made when it is first asked for, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import read_query
from webhook_service.host.http.routes import by_method
from webhook_service.service import WebhookService


class Document:
    """``/v1-webhooks/openapi.json``.

    Args:
        routes: what it describes.
    """

    def __init__(
        self,
        service: WebhookService,
        guard: Guard,
        threads: Threads,
        addresses: Addresses,
        routes: Sequence[Route],
    ) -> None:
        self._drivers = service.drivers
        self._guard = guard
        self._threads = threads
        self._addresses = addresses
        self._routes = tuple(routes)
        self._made: tuple[tuple[str, ...], dict[str, Any]] | None = None

    def routes(self) -> list[Route]:
        """Its route: for all who are known, as the schemas are."""
        return by_method(f"{PREFIX}/openapi.json", GET=self.document)

    async def document(self, request: Request) -> Response:
        """The API in OpenAPI 3.1, with the configs of the drivers that are installed."""
        read_query(request)
        await self._guard.identify(request)
        links = self._addresses.links(request)
        document = await self._threads.call(self._make)
        return JSONResponse({**document, "servers": [{"url": links.base}]})

    def _make(self) -> dict[str, Any]:
        from webhook_service.host.api.document.openapi import openapi

        installed = self._drivers.names
        if self._made is None or self._made[0] != installed:
            self._made = installed, openapi(self._routes, self._drivers.plugins)
        return self._made[1]
