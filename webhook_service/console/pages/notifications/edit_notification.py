"""The form of a notification: a new one, or one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.fields import config_in, fields_of
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor
from webhook_service.errors import WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.model.notification import ON, Notification
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import config_field


class EditNotificationPage:
    """``/notifications/new`` and ``/notifications/{id}/edit``, with ``…/delete``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._notifications = site.service.notifications

    def routes(self) -> list[Route]:
        """Its routes."""
        new, one = "/notifications/new", "/notifications/{id}"
        return [
            Route(new, self.begin, methods=["GET"]),
            Route(new, self.create, methods=["POST"]),
            Route(f"{one}/edit", self.edit, methods=["GET"]),
            Route(f"{one}/edit", self.change, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """The kinds to choose from, or the fields of the one that was chosen."""
        visitor = await self._site.enter(request, Action.CREATE)
        kind = request.query_params.get("kind", "")
        return await self._form(request, visitor, kind, None)

    async def create(self, request: Request) -> Response:
        """Make the notification of the form."""
        visitor = await self._site.enter(request, Action.CREATE)
        form = await self._site.form(request)
        kind = form.get("kind", "")
        try:
            body = await self._site.call(self._body, kind, form)
            made = await self._site.call(
                self._notifications.create,
                visitor.project,
                body,
                by=visitor.actor,
                role=visitor.role,
            )
        except WebhookServiceError as exc:
            return await self._form(request, visitor, kind, None, form, exc.message)
        return await self._done(visitor, made, form)

    async def edit(self, request: Request) -> Response:
        """The fields of a notification, without its secrets."""
        visitor = await self._site.enter(request, Action.UPDATE)
        stored = await self._stored(request, visitor)
        return await self._form(request, visitor, stored.spec.kind, stored)

    async def change(self, request: Request) -> Response:
        """Change it to what the form says; secrets that were left empty stay."""
        visitor = await self._site.enter(request, Action.UPDATE)
        stored, form = await self._stored(request, visitor), await self._site.form(request)
        kind, version = stored.spec.kind, form.get("version", "")
        try:
            body = await self._site.call(self._body, kind, form)
            changed = await self._site.call(
                self._notifications.update,
                visitor.project,
                stored.id,
                body,
                version=int(version) if version.isdecimal() else None,
                by=visitor.actor,
                role=visitor.role,
            )
        except WebhookServiceError as exc:
            return await self._form(request, visitor, kind, stored, form, exc.message)
        return await self._done(visitor, changed, form)

    async def delete(self, request: Request) -> Response:
        """End it."""
        visitor = await self._site.enter(request, Action.DELETE)
        id_ = str(request.path_params["id"])
        await self._site.call(self._notifications.delete, visitor.project, id_, by=visitor.actor)
        return self._site.go(visitor, "/notifications", "notification_deleted")

    async def _stored(self, request: Request, visitor: Visitor) -> Notification:
        id_ = str(request.path_params["id"])
        return await self._site.call(self._notifications.get, visitor.project, id_)

    async def _done(
        self, visitor: Visitor, stored: Notification, form: Mapping[str, str]
    ) -> Response:
        """Look at it; with the second button a test is on its way then."""
        said = "notification_saved"
        if form.get("then") == "test":
            await self._site.call(
                self._notifications.test, visitor.project, stored.id, by=visitor.actor
            )
            said = "tested"
        return self._site.go(visitor, f"/notifications/{stored.id}", said)

    def _body(self, kind: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The notification's JSON that a form means."""
        body: dict[str, Any] = {
            "name": form.get("name", ""),
            "kind": kind,
            "on": [each for each in ON if f"on_{each}" in form],
            "when": form.get("when") or None,
            "votes": "votes" in form,
        }
        if kind in self._notifications.kinds.names:
            config = self._notifications.kinds.get(kind).Config
            body[config_field(kind)] = config_in(config, form)
        return body

    async def _form(
        self,
        request: Request,
        visitor: Visitor,
        kind: str,
        stored: Notification | None,
        form: Mapping[str, str] | None = None,
        problem: str = "",
    ) -> Response:
        """The form, with what was written before if something of it cannot be used."""
        names = await self._site.call(lambda: self._notifications.kinds.names)
        shown: dict[str, Any] = {"fields": (), "can_vote": False}
        if kind in names:
            shown = await self._site.call(self._fields, kind, visitor, stored, form)
        elif kind and not problem:
            problem = f"There is no kind {kind[:50]!r}; choose one of these."
        return await self._site.page(
            request,
            visitor,
            "edit_notification.html",
            422 if problem else 200,
            kinds=names,
            kind=kind if kind in names else "",
            stored=stored,
            problem=problem,
            happened=ON,
            **_written(stored, form),
            **shown,
        )

    def _fields(
        self,
        kind: str,
        visitor: Visitor,
        stored: Notification | None,
        form: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        found = self._notifications.kinds.get(kind)
        config = {} if stored is None else stored.spec.config
        return {
            "fields": fields_of(found.Config, config, form),
            "can_vote": found.shows_vote_link and visitor.role is Role.OWNER,
        }


def _written(stored: Notification | None, form: Mapping[str, str] | None) -> dict[str, Any]:
    """What the fields that all kinds have begin with."""
    if form is not None:
        on = [each for each in ON if f"on_{each}" in form]
        said = {name: form.get(name, "") for name in ("name", "when", "version")}
        return {**said, "on": on, "votes": "votes" in form}
    if stored is None:
        return {
            "name": "",
            "when": "",
            "version": "",
            "on": ("failed", "rolledBack"),
            "votes": False,
        }
    spec = stored.spec
    return {
        "name": spec.name,
        "when": spec.when or "",
        "version": str(stored.version),
        "on": spec.on,
        "votes": spec.votes,
    }
