"""Deliveries: the live log, with filters and search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from webhook_service.console.feeds import cursor
from webhook_service.console.site import Site
from webhook_service.console.whereabouts import where_is
from webhook_service.model.delivery import DeliveryState, Reason
from webhook_service.model.history.delivery_log import LogQuery
from webhook_service.model.pages import PageRequest

MAX_TEXT = 300
_FIELDS = ("text", "receiver", "state", "reason", "marker")


class DeliveriesPage:
    """``/deliveries``; ``/`` leads here."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/", self.home, methods=["GET"]),
            Route("/deliveries", self.show, methods=["GET"]),
        ]

    async def home(self, request: Request) -> Response:
        """The first page of a project is its log."""
        visitor = await self._site.enter(request)
        return RedirectResponse(visitor.url("/deliveries"), 303)

    async def show(self, request: Request) -> Response:
        """A page of the log."""
        visitor = await self._site.enter(request)
        asked = LogQuery(
            **{name: request.query_params.get(name, "")[:MAX_TEXT] for name in _FIELDS}
        )
        service, project = self._site.service, visitor.project
        page = await self._site.call(service.overview.log, project, asked)
        found = await self._site.call(service.list_receivers, project, PageRequest(limit=1000))
        where = None
        if not asked.marker:
            where = await self._site.call(where_is, service, found.items, asked.text)
        newest = page.entries[0].delivery.id if page.entries else None
        return await self._site.page(
            request,
            visitor,
            "deliveries.html",
            asked=asked,
            page=page,
            where=where,
            names={receiver.id: receiver.name for receiver in found.items},
            states=list(DeliveryState),
            reasons=list(Reason),
            live=not asked.is_filtered and not asked.marker,
            cursor=cursor(newest),
        )
