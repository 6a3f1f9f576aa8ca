"""Receivers over HTTP: create, read, change, delete, and a new key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Caller, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.api.fields import asked_version, asks_for_none, read_fields
from webhook_service.host.api.simulation import pasted_call, simulation_json
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, known_values, receivers_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import Json, answer, applied_json, page_json, receiver_json
from webhook_service.model.ids import KEY_OVERLAP
from webhook_service.model.receiver import Receiver, ReceiverState
from webhook_service.resources import (
    AppliedResource,
    ReceiverResource,
    RotateRequest,
    SimulateRequest,
    SimulationResource,
)
from webhook_service.service import WebhookService

MISSING = "Webhook not found"
FILTERS = (
    QueryField("driver", "Only those of this driver."),
    QueryField("id", "One receiver."),
    QueryField("idPrefix", "Those whose id begins so."),
    QueryField("name", "The receiver with this name."),
    QueryField("state", "Only those in this state.", ReceiverState),
)


class DryRun(StrEnum):
    """Whether to store nothing."""

    YES = "true"
    NO = "false"


APPLY = (
    QueryField("dryRun", "`true` says what would become of it, and stores nothing.", DryRun),
    QueryField("alongside", "Of a dry run: another receiver that will be there by then, by name."),
)
FILTER_NAMES = frozenset(field.name for field in FILTERS)


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
            *by_method(f"{PREFIX}/receivers/apply", POST=self.apply),
            *by_method(one, GET=self.one, PUT=self.update, DELETE=self.delete),
            *by_method(f"{one}/rotate", POST=self.rotate),
            *by_method(f"{one}/simulate", POST=self.simulate),
        ]

    @operation(Operation("listReceivers", ReceiverResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """The project's receivers, newest first: all, or a page where the query has a limit."""
        caller = await self._guard.admit(request)
        asked = receivers_request(caller.query, FILTERS)
        page = await self._call(self._service.list_receivers, caller.project, asked)
        data = await self._shown(caller, page.items)
        path = path_of(request)
        counts = {*FILTER_NAMES, "marker", *(() if asked.is_whole else ("limit",))}
        query = {name: value for name, value in caller.query.items() if name in counts}
        return answer(caller.links, page_json(caller.links, path, "receiver", data, page, query))

    @operation(Operation("createReceiver", ReceiverResource, body="create", needs_body=True))
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
        return await self._answer_saved(caller, made)

    @operation(
        Operation(
            "applyReceiver",
            AppliedResource,
            body="create",
            needs_body=True,
            query=APPLY,
            statuses=(409, 412),
        )
    )
    async def apply(self, request: Request) -> Response:
        """Let the receiver of the body's name be as the body says, and not more.

        It is made, changed, or left alone if it is so already. Only its state stays if the body
        does not say it, and a secret that the body hides as answers do.
        """
        caller = await self._guard.admit(request, Action.UPDATE)
        body = await json_body(request, self._limits)
        asked = known_values(caller.query, APPLY)
        dry_run = asked.get("dryRun") == DryRun.YES
        applied = await self._call(
            self._service.apply_receiver,
            caller.project,
            body,
            version=0 if asks_for_none(request) else asked_version(request),
            dry_run=dry_run,
            alongside={asked["alongside"]} if "alongside" in asked else (),
            by=caller.actor,
            role=caller.role,
        )
        if dry_run:
            return answer(caller.links, applied_json(applied, applied.before))
        warnings = await self._call(self._service.receiver_warnings, applied.after)
        return answer(caller.links, applied_json(applied, applied.after, warnings))

    @operation(Operation("getReceiver", ReceiverResource))
    async def one(self, request: Request) -> Response:
        """One receiver."""
        caller = await self._guard.admit(request, missing=MISSING)
        found = await self._call(self._service.get_receiver, caller.project, _id(request))
        return await self._answer(caller, found)

    @operation(
        Operation(
            "updateReceiver",
            ReceiverResource,
            body="update",
            needs_body=True,
            statuses=(409, 412),
        )
    )
    async def update(self, request: Request) -> Response:
        """Change the fields that the body has."""
        caller = await self._guard.admit(request, Action.UPDATE, MISSING)
        body = await json_body(request, self._limits)
        changed = await self._call(
            self._service.update_receiver,
            caller.project,
            _id(request),
            body,
            version=asked_version(request),
            by=caller.actor,
            role=caller.role,
        )
        return await self._answer_saved(caller, changed)

    @operation(Operation("deleteReceiver", None, answers=(204,)))
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

    @operation(Operation("rotateReceiver", ReceiverResource, body=RotateRequest))
    async def rotate(self, request: Request) -> Response:
        """Give a receiver a new key; the answer has the new URL."""
        caller = await self._guard.admit(request, Action.ROTATE, MISSING)
        body = await json_body(request, self._limits, optional=True)
        seconds = read_fields(RotateRequest, body).overlap_seconds
        overlap = KEY_OVERLAP if seconds is None else timedelta(seconds=seconds)
        await self._call(
            self._service.rotate_key, caller.project, _id(request), overlap, by=caller.actor
        )
        found = await self._call(self._service.get_receiver, caller.project, _id(request))
        return await self._answer(caller, found)

    @operation(
        Operation("simulateReceiver", SimulationResource, body=SimulateRequest, needs_body=True)
    )
    async def simulate(self, request: Request) -> Response:
        """Say what a pasted call would do now, and change nothing."""
        caller = await self._guard.admit(request, Action.SIMULATE, MISSING)
        call = pasted_call(await json_body(request, self._limits))
        found = await self._call(self._service.simulate, caller.project, _id(request), call)
        return answer(caller.links, simulation_json(found))

    async def _answer_saved(self, caller: Caller, receiver: Receiver) -> Response:
        """A receiver as it was saved, with what people should know about it."""
        warnings = await self._call(self._service.receiver_warnings, receiver)
        return await self._answer(caller, receiver, warnings)

    async def _answer(
        self, caller: Caller, receiver: Receiver, warnings: Sequence[str] = ()
    ) -> Response:
        (shown,) = await self._shown(caller, [receiver])
        told = answer(caller.links, {**shown, **({"warnings": list(warnings)} if warnings else {})})
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
