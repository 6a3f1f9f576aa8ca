"""The audit over HTTP: who changed what, and from where."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.http.address import path_of
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, audit_json, page_json
from webhook_service.resources import AuditEntryResource
from webhook_service.service import WebhookService

FILTERS = (
    QueryField("action", "What was done, such as `receiver.deleted`."),
    QueryField("actor", "Who did it."),
    QueryField("via", "Which way in: `api`, `cli` or `application`."),
    QueryField("receiver", "To which receiver, by id or name."),
    QueryField("subject", "The id of what it was done to."),
    QueryField("since", "At or after this time."),
    QueryField("until", "Before this time."),
    QueryField("id", "One entry."),
)


class Audit:
    """``/v1-webhooks/audit``."""

    def __init__(self, service: WebhookService, guard: Guard, threads: Threads) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads

    def routes(self) -> list[Route]:
        """Its route: entries are only read."""
        return by_method(f"{PREFIX}/audit", GET=self.page)

    @operation(Operation("listAudit", AuditEntryResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """A page of the project's entries, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query, FILTERS)
        page = await self._threads.call(self._service.list_audit, caller.project, asked)
        data = [audit_json(entry, caller.links) for entry in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "auditEntry", data, page, caller.query),
        )
