"""The audit over HTTP: who changed what, and from where."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.access import Guard
from webhook_service.host.api.threads import Threads
from webhook_service.host.http.address import path_of
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.http.wire import answer, audit_json, page_json
from webhook_service.service import WebhookService


class Audit:
    """``/v1-webhooks/audit``."""

    def __init__(self, service: WebhookService, guard: Guard, threads: Threads) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads

    def routes(self) -> list[Route]:
        """Its route: entries are only read."""
        return by_method(f"{PREFIX}/audit", GET=self.page)

    async def page(self, request: Request) -> Response:
        """A page of the project's entries, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query)
        page = await self._threads.call(self._service.list_audit, caller.project, asked)
        data = [audit_json(entry, caller.links) for entry in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "auditEntry", data, page, caller.query),
        )
