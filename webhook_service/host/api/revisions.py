"""Revisions over HTTP: what a receiver has deployed, and the way back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.api.fields import read_fields
from webhook_service.host.api.receivers import MISSING
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, collection, execution_json, revision_json
from webhook_service.resources import ExecutionResource, RevisionResource, RollbackRequest
from webhook_service.service import WebhookService


class Revisions:
    """``/v1-webhooks/receivers/{id}/history`` and ``…/rollback``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._people = service.interventions
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        one = f"{PREFIX}/receivers/{{id}}"
        return [
            *by_method(f"{one}/history", GET=self.history),
            *by_method(f"{one}/rollback", POST=self.roll_back),
        ]

    @operation(Operation("listRevisions", RevisionResource, many=True))
    async def history(self, request: Request) -> Response:
        """What the receiver has deployed, newest first in each slot."""
        caller = await self._guard.admit(request, missing=MISSING)
        id_ = str(request.path_params["id"])
        found = await self._call(self._people.history, caller.project, id_)
        data = [revision_json(revision, caller.links) for revision in found]
        return answer(caller.links, collection(caller.links, path_of(request), "revision", data))

    @operation(Operation("rollBackReceiver", ExecutionResource, body=RollbackRequest))
    async def roll_back(self, request: Request) -> Response:
        """Deploy what ran before; the answer is the new execution."""
        caller = await self._guard.admit(request, Action.ROLLBACK, MISSING)
        body = await json_body(request, self._limits, optional=True)
        asked = read_fields(RollbackRequest, body)
        made = await self._call(
            self._people.roll_back,
            caller.project,
            str(request.path_params["id"]),
            asked.to,
            asked.repository,
            by=caller.actor,
        )
        return answer(caller.links, execution_json(made, caller.links, attempts=True))
