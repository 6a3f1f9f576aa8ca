"""Inboxes over HTTP: create, read, change, delete, a new key, and who would take a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Caller, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.api.fields import asked_version, read_fields
from webhook_service.host.api.simulation import pasted_call, simulation_json
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import Json, answer, inbox_json, page_json
from webhook_service.model.ids import KEY_OVERLAP
from webhook_service.model.inbox import Inbox, InboxView
from webhook_service.resources import (
    InboxRequest,
    InboxResource,
    InboxUpdate,
    RotateRequest,
    SimulateRequest,
    SimulationResource,
)
from webhook_service.service import WebhookService

MISSING = "Inbox not found"
FILTERS = (
    QueryField("id", "One inbox."),
    QueryField("idPrefix", "Those whose id begins so."),
    QueryField("name", "The inbox with this name."),
)


class ApiInboxes:
    """``/v1-webhooks/inboxes``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        one = f"{PREFIX}/inboxes/{{id}}"
        return [
            *by_method(f"{PREFIX}/inboxes", GET=self.page, POST=self.create),
            *by_method(one, GET=self.one, PUT=self.update, DELETE=self.delete),
            *by_method(f"{one}/rotate", POST=self.rotate),
            *by_method(f"{one}/simulate", POST=self.simulate),
        ]

    @operation(Operation("listInboxes", InboxResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """The project's inboxes, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query, FILTERS)
        page = await self._call(self._service.inboxes.list, caller.project, asked)
        data = await self._shown(caller, page.items)
        path = path_of(request)
        return answer(
            caller.links, page_json(caller.links, path, "inbox", data, page, caller.query)
        )

    @operation(Operation("createInbox", InboxResource, body=InboxRequest, needs_body=True))
    async def create(self, request: Request) -> Response:
        """Make an inbox: one URL for the receivers that name it in `listen.inboxes`."""
        caller = await self._guard.admit(request, Action.CREATE)
        body = await json_body(request, self._limits)
        made = await self._call(self._service.inboxes.create, caller.project, body, by=caller.actor)
        return await self._answer(caller, made)

    @operation(Operation("getInbox", InboxResource))
    async def one(self, request: Request) -> Response:
        """One inbox."""
        caller = await self._guard.admit(request, missing=MISSING)
        found = await self._call(self._service.inboxes.get, caller.project, _id(request))
        return await self._answer(caller, found)

    @operation(
        Operation(
            "updateInbox", InboxResource, body=InboxUpdate, needs_body=True, statuses=(409, 412)
        )
    )
    async def update(self, request: Request) -> Response:
        """Change the fields that the body has; the name stays."""
        caller = await self._guard.admit(request, Action.UPDATE, MISSING)
        body = await json_body(request, self._limits)
        changed = await self._call(
            self._service.inboxes.update,
            caller.project,
            _id(request),
            body,
            version=asked_version(request),
            by=caller.actor,
        )
        return await self._answer(caller, changed)

    @operation(Operation("deleteInbox", None, answers=(204,)))
    async def delete(self, request: Request) -> Response:
        """End an inbox to which nobody listens, and its URL."""
        caller = await self._guard.admit(request, Action.DELETE, MISSING)
        await self._call(
            self._service.inboxes.delete, caller.project, _id(request), by=caller.actor
        )
        return Response(status_code=204)

    @operation(Operation("rotateInbox", InboxResource, body=RotateRequest))
    async def rotate(self, request: Request) -> Response:
        """Give an inbox a new key; the answer has the new URL."""
        caller = await self._guard.admit(request, Action.ROTATE, MISSING)
        body = await json_body(request, self._limits, optional=True)
        seconds = read_fields(RotateRequest, body).overlap_seconds
        overlap = KEY_OVERLAP if seconds is None else timedelta(seconds=seconds)
        await self._call(
            self._service.inboxes.rotate_key, caller.project, _id(request), overlap, by=caller.actor
        )
        found = await self._call(self._service.inboxes.get, caller.project, _id(request))
        return await self._answer(caller, found)

    @operation(
        Operation("simulateInbox", SimulationResource, body=SimulateRequest, needs_body=True)
    )
    async def simulate(self, request: Request) -> Response:
        """Say which receivers would do what on a pasted call, and change nothing."""
        caller = await self._guard.admit(request, Action.SIMULATE, MISSING)
        call = pasted_call(await json_body(request, self._limits))
        found = await self._call(self._service.inboxes.simulate, caller.project, _id(request), call)
        return answer(caller.links, simulation_json(found))

    async def _answer(self, caller: Caller, inbox: Inbox) -> Response:
        (shown,) = await self._shown(caller, [inbox])
        told = answer(caller.links, shown)
        told.headers["ETag"] = f'"{inbox.version}"'
        return told

    async def _shown(self, caller: Caller, inboxes: Sequence[Inbox]) -> list[Json]:
        views: Mapping[str, InboxView] = await self._call(self._service.inboxes.describe, inboxes)
        return [
            inbox_json(inbox, views[inbox.id], caller.links, with_url=caller.sees_urls)
            for inbox in inboxes
        ]


def _id(request: Request) -> str:
    return str(request.path_params["id"])
