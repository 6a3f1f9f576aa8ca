"""The first call of a new receiver: its URL, what to do with it, and what came of it; switch on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.feeds import cursor
from webhook_service.console.guides import guide
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor
from webhook_service.errors import WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.model.delivery import Call, Reason
from webhook_service.model.history.delivery_log import LogEntry, LogQuery
from webhook_service.model.receiver import Receiver
from webhook_service.receiving.simulate import Simulation

MOST = 5


class FirstCallPage:
    """``/receivers/{id}/first``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._service = site.service

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/receivers/{id}/first", self.show, methods=["GET"]),
            Route("/receivers/{id}/first", self.switch_on, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The URL, where to click, and the newest calls; of a suspended one what would come."""
        visitor = await self._site.enter(request, Action.UPDATE)
        service, id_ = self._service, str(request.path_params["id"])
        receiver = await self._site.call(service.get_receiver, visitor.project, id_)
        key = await self._site.call(service.receiver_key, visitor.project, id_)
        log = await self._site.call(service.overview.log, visitor.project, LogQuery(receiver=id_))
        kind = (await self._site.call(lambda: service.formats.plugins.targets)).get(
            receiver.spec.source.format
        )
        newest = log.entries[0] if log.entries else None
        return await self._site.page(
            request,
            visitor,
            "first_call.html",
            receiver=receiver,
            address=self._site.endpoint(request, visitor.project, key),
            guide=guide(kind.sender.page) if kind else (),
            entries=log.entries[:MOST],
            cursor=cursor(newest.delivery.id if newest else None),
            would=await self._would(visitor, receiver, newest),
        )

    async def switch_on(self, request: Request) -> Response:
        """End the suspension in which it began, and stay here."""
        visitor = await self._site.enter(request, Action.UPDATE)
        id_, resume = str(request.path_params["id"]), self._service.resume_receiver
        await self._site.call(resume, visitor.project, id_, by=visitor.actor)
        return self._site.go(visitor, f"/receivers/{id_}/first", "resumed")

    async def _would(
        self, visitor: Visitor, receiver: Receiver, entry: LogEntry | None
    ) -> Simulation | None:
        """What the newest call would do once the receiver is on."""
        if entry is None or entry.delivery.reason != Reason.SUSPENDED:
            return None
        service, id_ = self._service, entry.delivery.id
        try:
            body = await self._site.call(service.overview.body, visitor.project, id_)
            return await self._site.call(
                service.simulate,
                visitor.project,
                receiver.id,
                Call(body or b""),
                {"state": "active"},
            )
        except WebhookServiceError:  # its body is not kept, or its plug-in does not answer
            return None
