"""Inboxes: one URL for many receivers; who listens to each, and who would take a call."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.commands import Command, cli
from webhook_service.console.guides import guide
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor
from webhook_service.errors import WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.model.delivery import Call
from webhook_service.model.inbox import Inbox
from webhook_service.model.pages import PageRequest

ALL = PageRequest(limit=1000)


class InboxesPage:
    """``/inboxes`` and ``/inboxes/{id}``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._service = site.service

    def routes(self) -> list[Route]:
        """Its routes."""
        one = "/inboxes/{id}"
        return [
            Route("/inboxes", self.show_all, methods=["GET"]),
            Route("/inboxes", self.create, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(f"{one}/simulate", self.simulate, methods=["POST"]),
            Route(f"{one}/rotate", self.rotate, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def show_all(self, request: Request) -> Response:
        """All inboxes with those who listen, and a form for a new one."""
        visitor = await self._site.enter(request)
        return await self._list(request, visitor, {})

    async def create(self, request: Request) -> Response:
        """Make an inbox, and show its URL."""
        visitor = await self._site.enter(request, Action.CREATE)
        form = await self._site.form(request)
        verify = {"scheme": form.get("scheme") or "none"}
        if form.get("secret"):
            verify["secret"] = form["secret"]
        body = {
            "name": form.get("name", ""),
            "source": {"format": form.get("format", "")},
            "verify": verify,
        }
        try:
            made = await self._site.call(
                self._service.inboxes.create, visitor.project, body, by=visitor.actor
            )
        except WebhookServiceError as exc:
            return await self._list(request, visitor, form, exc.message)
        return self._site.go(visitor, f"/inboxes/{made.id}", "inbox_created")

    async def show(self, request: Request) -> Response:
        """One inbox: its URL, who listens, and a form for a call to try."""
        visitor = await self._site.enter(request)
        return await self._show(request, visitor, await self._inbox(request, visitor))

    async def simulate(self, request: Request) -> Response:
        """Which receivers would take this call. Nothing is stored, and nothing is changed."""
        visitor = await self._site.enter(request, Action.SIMULATE)
        form = await self._site.form(request)
        inbox = await self._inbox(request, visitor)
        body = form.get("body", "")
        try:
            call, simulate = Call(body.encode()), self._service.inboxes.simulate
            result = await self._site.call(simulate, visitor.project, inbox.id, call)
        except WebhookServiceError as exc:
            return await self._show(request, visitor, inbox, body=body, problem=exc.message)
        return await self._show(request, visitor, inbox, body=body, result=result)

    async def rotate(self, request: Request) -> Response:
        """Give the inbox a new URL."""
        visitor = await self._site.enter(request, Action.ROTATE)
        inbox = await self._inbox(request, visitor)
        rotate = self._service.inboxes.rotate_key
        await self._site.call(rotate, visitor.project, inbox.id, by=visitor.actor)
        return self._site.go(visitor, f"/inboxes/{inbox.id}", "inbox_rotated")

    async def delete(self, request: Request) -> Response:
        """Delete an inbox to which nobody listens."""
        visitor = await self._site.enter(request, Action.DELETE)
        inbox = await self._inbox(request, visitor)
        delete = self._service.inboxes.delete
        try:
            await self._site.call(delete, visitor.project, inbox.id, by=visitor.actor)
        except WebhookServiceError as exc:
            return await self._show(request, visitor, inbox, problem=exc.message)
        return self._site.go(visitor, "/inboxes", "inbox_deleted")

    async def _inbox(self, request: Request, visitor: Visitor) -> Inbox:
        id_ = str(request.path_params["id"])
        return await self._site.call(self._service.inboxes.get, visitor.project, id_)

    async def _list(
        self, request: Request, visitor: Visitor, form: Any, problem: str = ""
    ) -> Response:
        service = self._service
        inboxes = (await self._site.call(service.inboxes.list, visitor.project, ALL)).items
        formats = await self._site.call(lambda: dict(service.formats.plugins.targets))
        return await self._site.page(
            request,
            visitor,
            "inboxes.html",
            422 if problem else 200,
            inboxes=inboxes,
            views=await self._site.call(service.inboxes.describe, inboxes),
            senders={name: kind.sender for name, kind in formats.items()},
            schemes=await self._site.call(lambda: service.schemes.names),
            form=form,
            problem=problem,
        )

    async def _show(
        self, request: Request, visitor: Visitor, inbox: Inbox, **more: Any
    ) -> Response:
        service, project = self._service, visitor.project
        view = (await self._site.call(service.inboxes.describe, [inbox]))[inbox.id]
        kind = (await self._site.call(lambda: service.formats.plugins.targets)).get(
            inbox.spec.source.format
        )
        url = ""
        if view.key and visitor.may("update"):
            url = self._site.endpoint(request, project, view.key)
        shown = {"problem": "", "body": "", "result": None, **more}
        return await self._site.page(
            request,
            visitor,
            "inbox.html",
            422 if shown["problem"] else 200,
            inbox=inbox,
            view=view,
            address=url,
            guide=guide(kind.sender.page) if kind else (),
            commands=[
                Command("Look at it", cli("inbox", "show", inbox.name, project=project)),
                Command(
                    "Who would take a call",
                    cli("inbox", "simulate", inbox.name, "--file", "push.json", project=project),
                    Action.SIMULATE,
                ),
            ],
            **shown,
        )
