"""Receivers over HTTP: create, read, change, delete, and a new key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.errors import InvalidRequest, UnknownField
from webhook_service.host.api.access import Action, Caller, Guard
from webhook_service.host.api.simulation import pasted_call, simulation_json
from webhook_service.host.api.threads import Threads
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import receivers_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.http.wire import Json, answer, page_json, receiver_json
from webhook_service.model.receiver import Receiver
from webhook_service.service import KEY_OVERLAP, WebhookService

MISSING = "Webhook not found"
FILTERS = ("driver", "id", "name", "state")
MAX_OVERLAP = timedelta(days=30)


class Receivers:
    """``/v1-webhooks/receivers``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        one = f"{PREFIX}/receivers/{{id}}"
        return [
            *by_method(f"{PREFIX}/receivers", GET=self.page, POST=self.create),
            *by_method(one, GET=self.one, PUT=self.update, DELETE=self.delete),
            *by_method(f"{one}/rotate", POST=self.rotate),
            *by_method(f"{one}/simulate", POST=self.simulate),
        ]

    async def page(self, request: Request) -> Response:
        """The project's receivers, newest first: all, or a page where the query has a limit."""
        caller = await self._guard.admit(request)
        asked = receivers_request(caller.query, FILTERS)
        page = await self._call(self._service.list_receivers, caller.project, asked)
        data = await self._shown(caller, page.items)
        path = path_of(request)
        counts = {*FILTERS, "marker", *(() if asked.is_whole else ("limit",))}
        query = {name: value for name, value in caller.query.items() if name in counts}
        return answer(caller.links, page_json(caller.links, path, "receiver", data, page, query))

    async def create(self, request: Request) -> Response:
        """Make a receiver of the body."""
        caller = await self._guard.admit(request, Action.CREATE)
        body = await json_body(request, self._limits)
        made = await self._call(
            self._service.create_receiver,
            caller.project,
            body,
            by=caller.actor,
            role=caller.role,
        )
        return await self._answer(caller, made)

    async def one(self, request: Request) -> Response:
        """One receiver."""
        caller = await self._guard.admit(request, missing=MISSING)
        found = await self._call(self._service.get_receiver, caller.project, _id(request))
        return await self._answer(caller, found)

    async def update(self, request: Request) -> Response:
        """Change the fields that the body has."""
        caller = await self._guard.admit(request, Action.UPDATE, MISSING)
        body = await json_body(request, self._limits)
        changed = await self._call(
            self._service.update_receiver,
            caller.project,
            _id(request),
            body,
            version=_version(request),
            by=caller.actor,
            role=caller.role,
        )
        return await self._answer(caller, changed)

    async def delete(self, request: Request) -> Response:
        """End a receiver and its URL."""
        caller = await self._guard.admit(request, Action.DELETE, MISSING)
        await self._call(
            self._service.delete_receiver,
            caller.project,
            _id(request),
            by=caller.actor,
            role=caller.role,
        )
        return Response(status_code=204)

    async def rotate(self, request: Request) -> Response:
        """Give a receiver a new key; the answer has the new URL."""
        caller = await self._guard.admit(request, Action.ROTATE, MISSING)
        overlap = _overlap(await json_body(request, self._limits, optional=True))
        await self._call(
            self._service.rotate_key, caller.project, _id(request), overlap, by=caller.actor
        )
        found = await self._call(self._service.get_receiver, caller.project, _id(request))
        return await self._answer(caller, found)

    async def simulate(self, request: Request) -> Response:
        """Say what a pasted call would do now, and change nothing."""
        caller = await self._guard.admit(request, Action.SIMULATE, MISSING)
        call = pasted_call(await json_body(request, self._limits))
        found = await self._call(self._service.simulate, caller.project, _id(request), call)
        return answer(caller.links, simulation_json(found))

    async def _answer(self, caller: Caller, receiver: Receiver) -> Response:
        (shown,) = await self._shown(caller, [receiver])
        told = answer(caller.links, shown)
        told.headers["ETag"] = f'"{receiver.version}"'
        return told

    async def _shown(self, caller: Caller, receivers: Sequence[Receiver]) -> list[Json]:
        keys: Mapping[str, str] = {}
        if caller.sees_urls:
            keys = await self._call(self._service.receiver_keys, receivers)
        names = self._service.drivers.names
        problems = await self._call(self._service.receiver_problems, receivers)
        return [
            receiver_json(item, names, caller.links, keys.get(item.id), problems.get(item.id))
            for item in receivers
        ]


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _version(request: Request) -> int | None:
    """The version that If-Match asks for: https://www.rfc-editor.org/rfc/rfc9110#name-if-match."""
    asked = request.headers.get("if-match", "*").strip()
    if asked == "*":
        return None
    if not re.fullmatch(r'"[0-9]{1,18}"', asked):
        raise InvalidRequest('If-Match: must be the ETag of an answer, such as "3", or *.')
    return int(asked.strip('"'))


def _overlap(body: Any) -> timedelta:
    """How long the old key goes on working."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("Bad request body: an object is needed.")
    if unknown := sorted(body.keys() - {"overlapSeconds"}):
        raise UnknownField(f"A rotation has no field {unknown[0][:100]!r}, only overlapSeconds.")
    seconds = body.get("overlapSeconds")
    if seconds is None:
        return KEY_OVERLAP
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidRequest("overlapSeconds: must be a number.")
    if not 0 <= seconds <= MAX_OVERLAP.total_seconds():
        longest = int(MAX_OVERLAP.total_seconds())
        raise InvalidRequest(f"overlapSeconds: must be between 0 and {longest}.")
    return timedelta(seconds=seconds)
