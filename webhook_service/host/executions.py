"""Executions over HTTP: what was done about a push, and how it went."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.address import path_of
from webhook_service.host.guard import Guard
from webhook_service.host.links import PREFIX
from webhook_service.host.query import page_request
from webhook_service.host.routes import by_method
from webhook_service.host.threads import Threads
from webhook_service.host.wire import answer, execution_json, page_json
from webhook_service.service import WebhookService

MISSING = "Execution not found"


class Executions:
    """``/v1-webhooks/executions``."""

    def __init__(self, service: WebhookService, guard: Guard, threads: Threads) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/executions", GET=self.page),
            *by_method(f"{PREFIX}/executions/{{id}}", GET=self.one),
        ]

    async def page(self, request: Request) -> Response:
        """A page of the project's executions, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query)
        page = await self._threads.call(self._service.list_executions, caller.project, asked)
        data = [execution_json(item, caller.links, attempts=False) for item in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "execution", data, page, caller.query),
        )

    async def one(self, request: Request) -> Response:
        """One execution, with its attempts."""
        caller = await self._guard.admit(request, missing=MISSING)
        id_ = request.path_params["id"]
        found = await self._threads.call(self._service.get_execution, caller.project, id_)
        return answer(caller.links, execution_json(found, caller.links, attempts=True))
