"""Insights: how often, how fast and how safely the project deploys."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.site import Site


class InsightsPage:
    """``/insights``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [Route("/insights", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """The figures of the last thirty days, drawn here."""
        visitor = await self._site.enter(request)
        figures = await self._site.call(self._site.service.overview.figures, visitor.project)
        most = max((day.deployed + day.failed for day in figures.days), default=0)
        get = self._site.service.get_execution
        slowest = [
            (await self._site.call(get, visitor.project, id_), span)
            for id_, _, span in figures.slowest
        ]
        return await self._site.page(
            request,
            visitor,
            "insights.html",
            figures=figures,
            most=max(most, 1),
            slowest=slowest,
        )
