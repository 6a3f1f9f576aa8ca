"""Projects over HTTP: the one that the caller acts in. Only an operator sees several."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.http.address import path_of
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, collection, project_json
from webhook_service.resources import ProjectResource
from webhook_service.service import WebhookService


class Projects:
    """``/v1-webhooks/projects``."""

    def __init__(self, service: WebhookService, guard: Guard, threads: Threads) -> None:
        self._service = service
        self._guard = guard
        self._threads = threads

    def routes(self) -> list[Route]:
        """Its route: a project is there once it has something."""
        return by_method(f"{PREFIX}/projects", GET=self.mine)

    @operation(Operation("listProjects", ProjectResource, many=True))
    async def mine(self, request: Request) -> Response:
        """The project that the caller acts in, and how much it has."""
        caller = await self._guard.admit(request)
        found = await self._threads.call(self._service.get_project, caller.project)
        data = [project_json(found, caller.links)]
        return answer(caller.links, collection(caller.links, path_of(request), "project", data))
