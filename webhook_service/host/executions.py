"""Executions over HTTP: what was done about a push; repeat it, or end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.errors import InvalidRequest
from webhook_service.host.address import path_of
from webhook_service.host.body import BodyLimits, read_json
from webhook_service.host.guard import Action, Guard
from webhook_service.host.links import PREFIX
from webhook_service.host.query import page_request
from webhook_service.host.routes import by_method
from webhook_service.host.threads import Threads
from webhook_service.host.wire import answer, execution_json, page_json
from webhook_service.service import WebhookService

MISSING = "Execution not found"


class Executions:
    """``/v1-webhooks/executions``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/executions", GET=self.page),
            *by_method(f"{PREFIX}/executions/{{id}}", GET=self.one),
            *by_method(f"{PREFIX}/executions/{{id}}/replay", POST=self.replay),
            *by_method(f"{PREFIX}/executions/{{id}}/cancel", POST=self.cancel),
        ]

    async def page(self, request: Request) -> Response:
        """A page of the project's executions, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query)
        page = await self._threads.call(self._service.list_executions, caller.project, asked)
        data = [execution_json(item, caller.links, attempts=False) for item in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "execution", data, page, caller.query),
        )

    async def one(self, request: Request) -> Response:
        """One execution, with its attempts."""
        caller = await self._guard.admit(request, missing=MISSING)
        id_ = request.path_params["id"]
        found = await self._threads.call(self._service.get_execution, caller.project, id_)
        return answer(caller.links, execution_json(found, caller.links, attempts=True))

    async def replay(self, request: Request) -> Response:
        """Run an ended execution's event once more; the answer is the new execution."""
        caller = await self._guard.admit(request, Action.REPLAY, MISSING)
        as_of = _as_of(await read_json(request, self._limits, optional=True))
        id_ = request.path_params["id"]
        made = await self._threads.call(
            self._service.replay_execution, caller.project, id_, as_of=as_of
        )
        return answer(caller.links, execution_json(made, caller.links, attempts=True))

    async def cancel(self, request: Request) -> Response:
        """End an execution that has not ended."""
        caller = await self._guard.admit(request, Action.CANCEL, MISSING)
        await read_json(request, self._limits, optional=True)
        id_ = request.path_params["id"]
        await self._threads.call(self._service.cancel_execution, caller.project, id_)
        found = await self._threads.call(self._service.get_execution, caller.project, id_)
        return answer(caller.links, execution_json(found, caller.links, attempts=True))


def _as_of(body: Any) -> bool:
    """Whether a replay keeps its old place in the order."""
    value = body.get("asOf", False) if isinstance(body, Mapping) else None
    if not isinstance(value, bool):
        raise InvalidRequest("Bad request body: asOf must be true or false.")
    return value
