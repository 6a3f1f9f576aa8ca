"""Deliveries over HTTP: what was called, and what was decided."""

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
from webhook_service.host.wire import answer, delivery_json, page_json
from webhook_service.model.delivery import DeliveryState
from webhook_service.resources import DeliveryResource
from webhook_service.service import WebhookService

MISSING = "Delivery not found"
FILTERS = (
    QueryField("receiver", "Only the calls that this receiver had a say in, by id or name."),
    QueryField("inbox", "Only the calls on this inbox, by id."),
    QueryField("state", "What was decided.", DeliveryState),
    QueryField("reason", "Why it was ignored or refused."),
    QueryField("id", "One delivery."),
    QueryField("idPrefix", "Those whose id begins so."),
)


class Deliveries:
    """``/v1-webhooks/deliveries``."""

    def __init__(self, service: WebhookService, guard: Guard, threads: Threads) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/deliveries", GET=self.page),
            *by_method(f"{PREFIX}/deliveries/{{id}}", GET=self.one),
        ]

    @operation(Operation("listDeliveries", DeliveryResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """A page of the project's deliveries, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query, FILTERS)
        page = await self._threads.call(self._service.list_deliveries, caller.project, asked)
        data = [delivery_json(item, caller.links) for item in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "delivery", data, page, caller.query),
        )

    @operation(Operation("getDelivery", DeliveryResource))
    async def one(self, request: Request) -> Response:
        """One delivery."""
        caller = await self._guard.admit(request, missing=MISSING)
        id_ = request.path_params["id"]
        found = await self._threads.call(self._service.get_delivery, caller.project, id_)
        return answer(caller.links, delivery_json(found, caller.links))
