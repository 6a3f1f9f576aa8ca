"""Executions over HTTP: what was done about a push; repeat it, end it, or let it run."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Caller, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.api.fields import read_fields
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, execution_json, page_json, replayed_json
from webhook_service.model.execution import ExecutionState
from webhook_service.model.history.replays import ReplayFilter
from webhook_service.resources import (
    CancelRequest,
    ExecutionResource,
    NoRequest,
    ReplayedResource,
    ReplayManyRequest,
    ReplayRequest,
)
from webhook_service.service import WebhookService

MISSING = "Execution not found"
FILTERS = (
    QueryField("receiver", "Only those of this receiver, by id or name."),
    QueryField("delivery", "Only those of this delivery."),
    QueryField("driver", "Only those of this driver."),
    QueryField("state", "Where they stand.", ExecutionState),
    QueryField("reason", "Why they stand there."),
    QueryField("image", "Only pushes of this repository, or of its tag or digest that is named."),
    QueryField("id", "One execution."),
    QueryField("idPrefix", "Those whose id begins so."),
)
M = TypeVar("M", bound=BaseModel)


class Executions:
    """``/v1-webhooks/executions``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._people = service.interventions
        self._guard = guard
        self._threads = threads
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        one = f"{PREFIX}/executions/{{id}}"
        return [
            *by_method(f"{PREFIX}/executions", GET=self.page),
            *by_method(f"{PREFIX}/executions/replay", POST=self.replay_all),
            *by_method(one, GET=self.one),
            *by_method(f"{one}/replay", POST=self.replay),
            *by_method(f"{one}/cancel", POST=self.cancel),
            *by_method(f"{one}/abort", POST=self.abort),
            *by_method(f"{one}/approve", POST=self.approve),
            *by_method(f"{one}/refuse", POST=self.refuse),
            *by_method(f"{one}/release", POST=self.release),
        ]

    @operation(Operation("listExecutions", ExecutionResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """A page of the project's executions, newest first."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query, FILTERS)
        page = await self._threads.call(self._service.list_executions, caller.project, asked)
        data = [execution_json(item, caller.links, attempts=False) for item in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "execution", data, page, caller.query),
        )

    @operation(Operation("getExecution", ExecutionResource))
    async def one(self, request: Request) -> Response:
        """One execution, with its attempts."""
        caller = await self._guard.admit(request, missing=MISSING)
        return await self._answer(caller, _id(request))

    @operation(Operation("replayExecution", ExecutionResource, body=ReplayRequest))
    async def replay(self, request: Request) -> Response:
        """Run an ended execution's event once more; the answer is the new execution."""
        caller = await self._guard.admit(request, Action.REPLAY, MISSING)
        asked = await self._read(request, ReplayRequest)
        made = await self._threads.call(
            self._people.replay, caller.project, _id(request), as_of=asked.as_of, by=caller.actor
        )
        return answer(caller.links, execution_json(made, caller.links, attempts=True))

    @operation(Operation("replayExecutions", ReplayedResource, body=ReplayManyRequest))
    async def replay_all(self, request: Request) -> Response:
        """Replay what the filter in the body finds; the answer lists it."""
        caller = await self._guard.admit(request, Action.REPLAY)
        asked = await self._read(request, ReplayManyRequest)
        names = ("receiver", "state", "reason", "since", "until", "limit")
        wanted = ReplayFilter(**{name: getattr(asked, name) for name in names})
        found = await self._threads.call(
            self._people.replay_all,
            caller.project,
            wanted,
            as_of=asked.as_of,
            dry_run=asked.dry_run,
            by=caller.actor,
        )
        return answer(caller.links, replayed_json(found, asked.dry_run))

    @operation(Operation("cancelExecution", ExecutionResource, body=CancelRequest))
    async def cancel(self, request: Request) -> Response:
        """End an execution that has not begun to change its target; with ``force`` any one."""
        caller = await self._guard.admit(request, Action.CANCEL, MISSING)
        asked = await self._read(request, CancelRequest)
        await self._threads.call(
            self._people.cancel, caller.project, _id(request), force=asked.force, by=caller.actor
        )
        return await self._answer(caller, _id(request))

    @operation(Operation("abortExecution", ExecutionResource, body=NoRequest))
    async def abort(self, request: Request) -> Response:
        """Stop an execution, and let it go back to what ran before."""
        caller = await self._guard.admit(request, Action.ABORT, MISSING)
        await self._read(request, NoRequest)
        await self._threads.call(self._people.abort, caller.project, _id(request), by=caller.actor)
        return await self._answer(caller, _id(request))

    @operation(Operation("approveExecution", ExecutionResource, body=NoRequest))
    async def approve(self, request: Request) -> Response:
        """Say yes to an execution that waits for approval."""
        caller = await self._guard.admit(request, Action.APPROVE, MISSING)
        await self._read(request, NoRequest)
        await self._threads.call(self._people.approve, caller.project, _id(request), caller.actor)
        return await self._answer(caller, _id(request))

    @operation(Operation("refuseExecution", ExecutionResource, body=NoRequest))
    async def refuse(self, request: Request) -> Response:
        """Say no to an execution that waits for approval."""
        caller = await self._guard.admit(request, Action.REFUSE, MISSING)
        await self._read(request, NoRequest)
        await self._threads.call(self._people.refuse, caller.project, _id(request), caller.actor)
        return await self._answer(caller, _id(request))

    @operation(Operation("releaseExecution", ExecutionResource, body=NoRequest))
    async def release(self, request: Request) -> Response:
        """Let an execution run now that a rule of its receiver holds."""
        caller = await self._guard.admit(request, Action.RELEASE, MISSING)
        await self._read(request, NoRequest)
        await self._threads.call(
            self._people.release, caller.project, _id(request), by=caller.actor
        )
        return await self._answer(caller, _id(request))

    async def _read(self, request: Request, model: type[M]) -> M:
        return read_fields(model, await json_body(request, self._limits, optional=True))

    async def _answer(self, caller: Caller, execution_id: str) -> Response:
        found = await self._threads.call(self._service.get_execution, caller.project, execution_id)
        return answer(caller.links, execution_json(found, caller.links, attempts=True))


def _id(request: Request) -> str:
    return str(request.path_params["id"])
