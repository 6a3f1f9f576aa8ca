"""Holds over HTTP: stop a whole project, and let it go on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.api.fields import read_fields
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, collection, hold_json
from webhook_service.resources import HoldRequest, HoldResource
from webhook_service.service import WebhookService

MISSING = "Hold not found"


class ApiHolds:
    """``/v1-webhooks/holds``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/holds", GET=self.all, POST=self.create),
            *by_method(f"{PREFIX}/holds/{{id}}", DELETE=self.release),
        ]

    @operation(Operation("listHolds", HoldResource, many=True))
    async def all(self, request: Request) -> Response:
        """Why nothing of the project begins now; without a hold it goes on."""
        caller = await self._guard.admit(request)
        found = await self._call(self._service.holds.list, caller.project)
        data = [hold_json(hold, caller.links) for hold in found]
        return answer(caller.links, collection(caller.links, path_of(request), "hold", data))

    @operation(Operation("createHold", HoldResource, body=HoldRequest, needs_body=True))
    async def create(self, request: Request) -> Response:
        """Let nothing of the project begin, until this hold is released; pushes wait."""
        caller = await self._guard.admit(request, Action.HOLD)
        asked = read_fields(HoldRequest, await json_body(request, self._limits))
        made = await self._call(
            self._service.holds.place, caller.project, asked.why, name=asked.name, by=caller.actor
        )
        return answer(caller.links, hold_json(made, caller.links))

    @operation(Operation("releaseHold", None, answers=(204,)))
    async def release(self, request: Request) -> Response:
        """End a hold; after the last one the newest push of each target runs."""
        caller = await self._guard.admit(request, Action.HOLD, MISSING)
        id_ = str(request.path_params["id"])
        await self._call(self._service.holds.release, caller.project, id_, by=caller.actor)
        return Response(status_code=204)
