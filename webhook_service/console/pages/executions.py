"""The buttons of an execution: each is a POST that calls the service and leads to its delivery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.site import Site
from webhook_service.host.api.callers.access import Action
from webhook_service.model.execution import Execution

_BUTTONS = {
    "replay": (Action.REPLAY, "replayed"),
    "cancel": (Action.CANCEL, "cancelled"),
    "abort": (Action.ABORT, "aborted"),
    "approve": (Action.APPROVE, "approved"),
    "refuse": (Action.REFUSE, "refused"),
    "release": (Action.RELEASE, "released"),
}


class ExecutionButtons:
    """``POST /executions/{id}/…``; a GET of an execution leads to its delivery."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._people = site.service.interventions

    def routes(self) -> list[Route]:
        """Its routes."""
        one = "/executions/{id}"
        buttons = [
            Route(f"{one}/{name}", self._handler(name), methods=["POST"]) for name in _BUTTONS
        ]
        return [Route(one, self.show, methods=["GET"]), *buttons]

    async def show(self, request: Request) -> Response:
        """Its delivery, at the place where it stands."""
        visitor = await self._site.enter(request)
        id_ = str(request.path_params["id"])
        found = await self._site.call(self._site.service.get_execution, visitor.project, id_)
        return self._site.go(visitor, f"/deliveries/{found.delivery}", anchor=found.id)

    def _handler(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        return partial(self._press, name)

    async def _press(self, name: str, request: Request) -> Response:
        action, said = _BUTTONS[name]
        visitor = await self._site.enter(request, action)
        id_, by = str(request.path_params["id"]), visitor.actor
        do: dict[str, Callable[[], Execution]] = {
            "replay": partial(self._people.replay, visitor.project, id_, by=by),
            "cancel": partial(self._people.cancel, visitor.project, id_, by=by),
            "abort": partial(self._people.abort, visitor.project, id_, by=by),
            "approve": partial(self._people.approve, visitor.project, id_, by),
            "refuse": partial(self._people.refuse, visitor.project, id_, by),
            "release": partial(self._people.release, visitor.project, id_, by=by),
        }
        made = await self._site.call(do[name])
        if request.query_params.get("back") == "approvals":
            return self._site.go(visitor, "/approvals", said)
        return self._site.go(visitor, f"/deliveries/{made.delivery}", said, made.id)
