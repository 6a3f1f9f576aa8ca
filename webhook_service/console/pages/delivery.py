"""One delivery: its timeline, what was sent, and what can be done about it."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.commands import Command, call, cli, post, takes_plain_calls, with_url
from webhook_service.console.feeds import cursor
from webhook_service.console.site import Site
from webhook_service.console.timeline import (
    call_steps,
    execution_steps,
    images_of,
    is_by_hand,
    item_step,
)
from webhook_service.console.visitor import Visitor
from webhook_service.driver import PushEvent
from webhook_service.errors import NotFound, WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.host.wire.executions import shown_headers
from webhook_service.model.delivery import Call, Delivery
from webhook_service.model.execution import ENDED, Execution
from webhook_service.model.history.delivery_log import LogEntry
from webhook_service.model.ids import hide_keys
from webhook_service.model.receiver import Receiver, as_json

MAX_SHOWN = 64 * 1024
_RULES = ("source", "match")


class DeliveryPage:
    """``/deliveries/{id}`` and ``…/simulate``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._service = site.service

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/deliveries/{id}", self.show, methods=["GET"]),
            Route("/deliveries/{id}/simulate", self.ask, methods=["GET"]),
            Route("/deliveries/{id}/simulate", self.simulate, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The delivery with all that came of it."""
        visitor = await self._site.enter(request)
        entry = await self._entry(request, visitor)
        receiver = await self._receiver(visitor, entry.delivery)
        executions = await self._executions(visitor, entry)
        body = await self._body(visitor, entry.delivery)
        people = await self._site.people(visitor)
        return await self._site.page(
            request,
            visitor,
            "delivery.html",
            delivery=entry.delivery,
            receiver=receiver,
            steps=list(call_steps(entry.delivery, receiver, people)),
            by_hand=is_by_hand(entry.delivery),
            people=people,
            items=[(item, item_step(item, receiver)) for item in entry.delivery.items],
            executions=[(one, list(execution_steps(one, people))) for one in executions],
            images=images_of(executions),
            ended=ENDED,
            body=_shown(body),
            headers=_headers(executions),
            commands=await self._commands(request, visitor, entry, body),
            cursor=cursor(entry.delivery.id),
            moves=any(one.state not in ENDED for one in executions),
        )

    async def ask(self, request: Request) -> Response:
        """The form: the receiver's rules as they are now, to be changed for a trial."""
        visitor = await self._site.enter(request, Action.SIMULATE)
        entry = await self._entry(request, visitor)
        receiver = await self._require_receiver(visitor, entry.delivery)
        rules = {name: as_json(receiver.spec)[name] for name in _RULES}
        return await self._simulation(request, visitor, entry, receiver, _json(rules))

    async def simulate(self, request: Request) -> Response:
        """What the same call would do under these rules. Nothing is stored."""
        visitor = await self._site.enter(request, Action.SIMULATE)
        form = await self._site.form(request)
        entry = await self._entry(request, visitor)
        receiver = await self._require_receiver(visitor, entry.delivery)
        body = await self._site.call(
            self._service.overview.body, visitor.project, entry.delivery.id
        )
        rules, result, problem = form.get("rules", ""), None, ""
        try:
            changes = _rules(rules)
            result = await self._site.call(
                self._service.simulate, visitor.project, receiver.id, Call(body or b""), changes
            )
        except ValueError as exc:
            problem = f"The rules are no JSON: {exc}."
        except WebhookServiceError as exc:
            problem = exc.message
        return await self._simulation(
            request, visitor, entry, receiver, rules, result=result, problem=problem
        )

    async def _simulation(
        self,
        request: Request,
        visitor: Visitor,
        entry: LogEntry,
        receiver: Receiver,
        rules: str,
        **more: Any,
    ) -> Response:
        shown = {"result": None, "problem": "", **more}
        return await self._site.page(
            request,
            visitor,
            "simulate.html",
            422 if shown["problem"] else 200,
            delivery=entry.delivery,
            receiver=receiver,
            rules=rules,
            **shown,
        )

    async def _entry(self, request: Request, visitor: Visitor) -> LogEntry:
        found = await self._site.call(
            self._service.overview.entries, visitor.project, [str(request.path_params["id"])]
        )
        if not found:
            raise NotFound("There is no such delivery in this project.")
        return found[0]

    async def _receiver(self, visitor: Visitor, delivery: Delivery) -> Receiver | None:
        """The receiver as it is now; None once it is deleted."""
        try:
            return await self._site.call(
                self._service.get_receiver, visitor.project, delivery.receiver
            )
        except NotFound:
            return None

    async def _require_receiver(self, visitor: Visitor, delivery: Delivery) -> Receiver:
        receiver = await self._receiver(visitor, delivery)
        if receiver is None:
            raise NotFound("The receiver of this delivery was deleted.")
        return receiver

    async def _executions(self, visitor: Visitor, entry: LogEntry) -> list[Execution]:
        """With their attempts, the newest first: a replay stands above what it repeats."""
        get = self._service.get_execution
        found = [await self._site.call(get, visitor.project, one.id) for one in entry.executions]
        return found[::-1]

    async def _body(self, visitor: Visitor, delivery: Delivery) -> bytes | None:
        if delivery.refusal is not None:
            full = await self._site.call(self._service.get_delivery, visitor.project, delivery.id)
            return None if full.refusal is None else full.refusal.body.encode()
        return await self._site.call(self._service.overview.body, visitor.project, delivery.id)

    async def _commands(
        self, request: Request, visitor: Visitor, entry: LogEntry, body: bytes | None
    ) -> list[Command]:
        api, project = self._site.api(request), visitor.project
        found = [
            Command("This delivery", cli("delivery", "show", entry.delivery.id, project=project))
        ]
        for one in entry.executions[-1:]:
            found += [
                Command(
                    "Push it again",
                    cli("execution", "replay", one.id, project=project),
                    Action.REPLAY,
                ),
                Command(
                    "The same with curl",
                    post(api, f"/executions/{one.id}/replay", project),
                    Action.REPLAY,
                ),
            ]
        if body and visitor.may("update") and entry.delivery.refusal is None:
            line = call(body) if await self._takes_it(visitor, entry.delivery) else None
            if line is not None and len(line) < MAX_SHOWN:
                whole = with_url(entry.delivery.receiver, project, line)
                found.append(Command("The call itself, with curl", whole))
        return found

    async def _takes_it(self, visitor: Visitor, delivery: Delivery) -> bool:
        """Whether what was called is a receiver, is there yet, and takes the body alone."""
        receiver = await self._receiver(visitor, delivery)
        return receiver is not None and takes_plain_calls(receiver)


def _rules(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict) or not found.keys() <= {*_RULES}:
        raise ValueError('write {"source": …, "match": …}')
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _shown(body: bytes | None) -> str | None:
    """A body for people: JSON in lines, keys hidden, and cut."""
    if body is None:
        return None
    text = body.decode("utf-8", "replace")
    try:
        text = _json(json.loads(text))
    except ValueError:
        pass
    shown = hide_keys("".join(char if char.isprintable() or char == "\n" else "·" for char in text))
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}\n… (cut)"


def _headers(executions: list[Execution]) -> dict[str, str]:
    """Those of a raw call that are kept, with its proofs hidden."""
    for one in executions:
        if not isinstance(one.event, PushEvent):
            return shown_headers(one.event)
    return {}
