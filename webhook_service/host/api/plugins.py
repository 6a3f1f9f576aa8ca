"""Drivers, formats and schemes over HTTP: what is installed. Broken ones are shown, and say why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.errors import NotFound
from webhook_service.host.api.callers.access import Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.http.address import Addresses, path_of
from webhook_service.host.http.links import PREFIX, Links
from webhook_service.host.http.query import read_query
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import (
    Json,
    answer,
    collection,
    driver_json,
    format_json,
    scheme_json,
)
from webhook_service.plugins.discovery import Plugin
from webhook_service.resources import DriverResource, FormatResource, SchemeResource
from webhook_service.service import WebhookService

T = TypeVar("T")


class InstalledPlugins:
    """``/v1-webhooks/drivers``, ``…/formats`` and ``…/schemes``: the same for all who are known."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, addresses: Addresses
    ) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads
        self._addresses = addresses

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/drivers", GET=self.drivers),
            *by_method(f"{PREFIX}/drivers/{{id}}", GET=self.driver),
            *by_method(f"{PREFIX}/formats", GET=self.formats),
            *by_method(f"{PREFIX}/formats/{{id}}", GET=self.format),
            *by_method(f"{PREFIX}/schemes", GET=self.schemes),
            *by_method(f"{PREFIX}/schemes/{{id}}", GET=self.scheme),
        ]

    @operation(Operation("listDrivers", DriverResource, many=True, scope="service"))
    async def drivers(self, request: Request) -> Response:
        """All drivers, by name."""
        return await self._all(request, "driver", self._service.drivers.plugins, driver_json)

    @operation(Operation("getDriver", DriverResource, scope="service"))
    async def driver(self, request: Request) -> Response:
        """One driver, with the JSON Schema of its config."""
        return await self._one(request, "Driver", self._service.drivers.plugins, driver_json)

    @operation(Operation("listFormats", FormatResource, many=True, scope="service"))
    async def formats(self, request: Request) -> Response:
        """All payload formats, by name."""
        return await self._all(request, "format", self._service.formats.plugins, format_json)

    @operation(Operation("getFormat", FormatResource, scope="service"))
    async def format(self, request: Request) -> Response:
        """One payload format, with the JSON Schema of its options."""
        return await self._one(request, "Format", self._service.formats.plugins, format_json)

    @operation(Operation("listSchemes", SchemeResource, many=True, scope="service"))
    async def schemes(self, request: Request) -> Response:
        """All verification schemes, by name."""
        return await self._all(request, "scheme", self._service.schemes.plugins, scheme_json)

    @operation(Operation("getScheme", SchemeResource, scope="service"))
    async def scheme(self, request: Request) -> Response:
        """One verification scheme, with the JSON Schema of its options."""
        return await self._one(request, "Scheme", self._service.schemes.plugins, scheme_json)

    async def _all(
        self,
        request: Request,
        kind: str,
        plugins: Iterable[Plugin[T]],
        shown: Callable[[Plugin[T], Links], Json],
    ) -> Response:
        links = await self._known(request)
        # In a thread: plug-ins are loaded when they are first looked at.
        data = await self._threads.call(lambda: [shown(plugin, links) for plugin in plugins])
        return answer(links, collection(links, path_of(request), kind, data))

    async def _one(
        self,
        request: Request,
        noun: str,
        plugins: Iterable[Plugin[T]],
        shown: Callable[[Plugin[T], Links], Json],
    ) -> Response:
        links = await self._known(request)
        name = request.path_params["id"]

        def find() -> dict[str, Any] | None:
            return next((shown(each, links) for each in plugins if each.name == name), None)

        found = await self._threads.call(find)
        if found is None:
            raise NotFound(f"{noun} not found")
        return answer(links, found)

    async def _known(self, request: Request) -> Links:
        read_query(request)
        await self._guard.identify(request)
        return self._addresses.links(request)
