"""Holds and freezes: what is held now, and when nothing will be changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.site import Site
from webhook_service.errors import WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import Receiver
from webhook_service.model.rules.freeze import compile_windows, frozen_until
from webhook_service.service import WebhookService

DAYS = 14
STEP = timedelta(hours=2)
MAX_CALENDARS = 50
_ALL = PageRequest(limit=1000)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The freezes of one receiver; ``spans`` are parts of the drawn width, from 0 to 1."""

    receiver: Receiver
    until: datetime | None
    spans: tuple[tuple[float, float], ...]


class FreezesPage:
    """``/freezes``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/freezes", self.show, methods=["GET"]),
            Route("/freezes/suspend", self.suspend, methods=["POST"]),
            Route("/freezes/resume", self.resume, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What is held, what is suspended, and the calendar."""
        visitor = await self._site.enter(request)
        service, project = self._site.service, visitor.project
        receivers = (await self._site.call(service.list_receivers, project, _ALL)).items
        held = PageRequest(limit=100, filters={"state": "held"})
        return await self._site.page(
            request,
            visitor,
            "freezes.html",
            held=(await self._site.call(service.list_executions, project, held)).items,
            receivers=receivers,
            holds=await self._site.call(service.holds.list, project),
            calendars=await self._site.call(_calendars, receivers),
            days=_days(datetime.now(UTC)),
        )

    async def suspend(self, request: Request) -> Response:
        """Suspend every receiver of the project."""
        return await self._all(request, stop=True)

    async def resume(self, request: Request) -> Response:
        """Switch every receiver of the project on."""
        return await self._all(request, stop=False)

    async def _all(self, request: Request, *, stop: bool) -> Response:
        visitor = await self._site.enter(request, Action.UPDATE)

        def each(service: WebhookService) -> None:
            change = service.suspend_receiver if stop else service.resume_receiver
            for receiver in service.list_receivers(visitor.project, _ALL).items:
                if receiver.suspended is not stop:
                    change(visitor.project, receiver.id, by=visitor.actor)

        await self._site.call(each, self._site.service)
        return self._site.go(visitor, "/freezes", "held_all" if stop else "resumed_all")


def _calendars(receivers: Sequence[Receiver]) -> list[Calendar]:
    now = datetime.now(UTC)
    frozen = [receiver for receiver in receivers if receiver.spec.match.freeze]
    return [_calendar(receiver, now) for receiver in frozen[:MAX_CALENDARS]]


def _calendar(receiver: Receiver, now: datetime) -> Calendar:
    try:
        windows = compile_windows(receiver.spec.match.freeze)
    except WebhookServiceError:
        return Calendar(receiver, None, ())
    begin, whole = _midnight(now), timedelta(days=DAYS)

    def spans() -> Iterator[tuple[float, float]]:
        moment = begin
        while moment < begin + whole:
            end = frozen_until(windows, moment)
            if end is not None:
                end = min(end, begin + whole)
                yield (moment - begin) / whole, (end - moment) / whole
            moment = max(end or moment, moment + STEP)

    return Calendar(receiver, frozen_until(windows, now), tuple(spans()))


def _days(now: datetime) -> list[datetime]:
    return [_midnight(now) + timedelta(days=day) for day in range(DAYS)]


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
