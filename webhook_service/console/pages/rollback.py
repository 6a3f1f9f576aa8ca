"""The way back: what a rollback would change, and the button that does it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.commands import Command, cli
from webhook_service.console.site import Site
from webhook_service.driver import Plan
from webhook_service.errors import InvalidRequest, WebhookServiceError
from webhook_service.host.api.callers.access import Action


class RollbackPage:
    """``/receivers/{id}/rollback``; ``to`` and ``repository`` as in the API."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._people = site.service.interventions

    def routes(self) -> list[Route]:
        """Its routes."""
        path = "/receivers/{id}/rollback"
        return [
            Route(path, self.ask, methods=["GET"]),
            Route(path, self.roll_back, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """What would change: the images and fields, before and after."""
        asked = request.query_params
        return await self._ask(request, asked.get("to", ""), asked.get("repository", ""))

    async def roll_back(self, request: Request) -> Response:
        """Deploy what ran before, or one revision of the history."""
        visitor = await self._site.enter(request, Action.ROLLBACK)
        form = await self._site.form(request)
        to, repository = form.get("to", ""), form.get("repository", "")
        id_, by = str(request.path_params["id"]), visitor.actor
        try:
            made = await self._site.call(
                self._people.roll_back, visitor.project, id_, to or None, repository or None, by=by
            )
        except InvalidRequest as exc:
            return await self._ask(request, to, repository, exc.message)
        return self._site.go(visitor, f"/deliveries/{made.delivery}", "rolled_back", made.id)

    async def _ask(self, request: Request, to: str, repository: str, problem: str = "") -> Response:
        visitor = await self._site.enter(request, Action.ROLLBACK)
        service, id_ = self._site.service, str(request.path_params["id"])
        receiver = await self._site.call(service.get_receiver, visitor.project, id_)
        plan, unread, target = Plan(), "", None
        try:
            target = await self._site.call(
                self._people.rollback_target, visitor.project, id_, to or None, repository or None
            )
            plan = await self._site.call(
                self._people.plan_rollback, visitor.project, id_, to or None, repository or None
            )
        except InvalidRequest as exc:
            problem = problem or exc.message
        except WebhookServiceError as exc:
            unread = exc.message
        line = ["rollback", id_]
        line += ["--to", to] if to else []
        line += ["--repository", repository] if repository else []
        return await self._site.page(
            request,
            visitor,
            "rollback.html",
            422 if problem else 200,
            receiver=receiver,
            plan=plan,
            to=target or to,
            repository=repository,
            problem=problem,
            unread=unread,
            command=Command("The same in a terminal", cli(*line, project=visitor.project)),
        )
