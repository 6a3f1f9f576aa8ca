"""Notifications: who is told of what, and what became of the newest notice of each."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.commands import Command, cli
from webhook_service.console.site import Site
from webhook_service.host.api.callers.access import Action
from webhook_service.model.pages import PageRequest

SHOWN = 20


class NotificationsPage:
    """``/notifications`` and ``/notifications/{id}``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._notifications = site.service.notifications

    def routes(self) -> list[Route]:
        """Its routes."""
        one = "/notifications/{id}"
        return [
            Route("/notifications", self.list, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(f"{one}/test", self.test, methods=["POST"]),
            Route(f"{one}/notices/{{notice}}/replay", self.replay, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """All notifications of the project, and how to make one."""
        visitor = await self._site.enter(request)
        project = visitor.project
        found = (await self._site.call(self._notifications.list, project)).items
        ids = [each.id for each in found]
        last = await self._site.call(self._notifications.last, project, ids)
        make = ("--name", "ops", "--kind", "slack", "--on", "failed", "--config", "@slack.json")
        return await self._site.page(
            request,
            visitor,
            "notifications.html",
            found=[(each, last.get(each.id)) for each in found],
            commands=[
                Command(
                    "Make one",
                    cli("notification", "create", *make, project=project),
                    Action.CREATE,
                ),
            ],
        )

    async def show(self, request: Request) -> Response:
        """One notification with its newest notices; dead letters can be sent again."""
        visitor = await self._site.enter(request)
        project, id_ = visitor.project, str(request.path_params["id"])
        found = await self._site.call(self._notifications.get, project, id_)
        notices = await self._site.call(
            self._notifications.notices, project, id_, PageRequest(limit=SHOWN)
        )
        return await self._site.page(
            request,
            visitor,
            "notification.html",
            notification=found,
            notices=notices.items,
            commands=[
                Command("All its notices", cli("notification", "notices", id_, project=project)),
                Command(
                    "End it", cli("notification", "delete", id_, project=project), Action.DELETE
                ),
            ],
        )

    async def test(self, request: Request) -> Response:
        """Send a test."""
        visitor = await self._site.enter(request, Action.UPDATE)
        id_ = str(request.path_params["id"])
        await self._site.call(self._notifications.test, visitor.project, id_, by=visitor.actor)
        return self._site.go(visitor, f"/notifications/{id_}", "tested")

    async def replay(self, request: Request) -> Response:
        """Send a notice once more."""
        visitor = await self._site.enter(request, Action.REPLAY)
        id_, notice = str(request.path_params["id"]), str(request.path_params["notice"])
        await self._site.call(
            self._notifications.replay, visitor.project, id_, notice, by=visitor.actor
        )
        return self._site.go(visitor, f"/notifications/{id_}", "sent_again")
