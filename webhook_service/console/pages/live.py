"""The live feed over Server-Sent Events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from webhook_service.console.feeds import Feeds, cursor
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor

RETRY_MILLIS = 2000
SESSION_SECONDS = 10.0
"""How often a feed makes sure that its session has not ended meanwhile."""


class LivePage:
    """``/feed``."""

    def __init__(self, site: Site, feeds: Feeds) -> None:
        self._site = site
        self._feeds = feeds

    def routes(self) -> list[Route]:
        """Its routes."""
        return [Route("/feed", self.stream, methods=["GET"])]

    async def stream(self, request: Request) -> Response:
        """Rows that are new or have changed since ``Last-Event-ID``, or the page's ``after``."""
        visitor = await self._site.enter(request)
        last = request.headers.get("last-event-id") or request.query_params.get("after")
        self._feeds.admit(visitor.session.actor)
        events = self._events(request, visitor, last)
        return _Feed(self._feeds, events, visitor.session.actor)

    async def _events(
        self, request: Request, visitor: Visitor, last: str | None
    ) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MILLIS}\n\n"
        newest, known = "", time.monotonic()
        async for news in self._feeds.entries(visitor.project, last):
            if time.monotonic() > known + SESSION_SECONDS:
                if not await self._site.is_in(request):
                    return
                known = time.monotonic()
            if news is None:
                yield ": quiet\n\n"
                continue
            entry = news.entry
            row = self._site.fragment("rows.html", "row", entry=entry, url=visitor.url)
            data = "".join(f"data: {line}\n" for line in row.splitlines() if line.strip())
            newest = max(newest, entry.delivery.id)
            yield f"event: row\nid: {cursor(newest, news.seen)}\n{data}\n"


class _Feed(StreamingResponse):
    """Gives its place back at its end, whatever ends it."""

    def __init__(self, feeds: Feeds, events: AsyncIterator[str], actor: str) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._feeds = feeds
        self._actor = actor

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._feeds.leave(self._actor)
