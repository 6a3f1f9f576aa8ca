"""Approvals: what waits for people's votes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.site import Site


class ApprovalsPage:
    """``/approvals``; its buttons are those of an execution."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [Route("/approvals", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """What waits, oldest first, with the votes so far."""
        visitor = await self._site.enter(request)
        undecided = self._site.service.overview.undecided
        waiting = await self._site.call(undecided, visitor.project)
        return await self._site.page(
            request,
            visitor,
            "approvals.html",
            waiting=waiting,
            people=await self._site.people(visitor),
        )
