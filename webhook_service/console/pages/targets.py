"""Targets: what runs where. The list is what is recorded; a look asks the live systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.site import Site
from webhook_service.errors import WebhookServiceError
from webhook_service.model.history.revision import Revision
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import Receiver
from webhook_service.service import WebhookService

MAX_RECEIVERS = 100


@dataclass(frozen=True, slots=True)
class DeployedTarget:
    """One slot of a receiver; ``problem`` says why its history cannot be read."""

    revisions: Sequence[Revision] = ()
    problem: str = ""


class TargetsPage:
    """``/targets`` and ``/targets/{receiver}``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/targets", self.show, methods=["GET"]),
            Route("/targets/{id}", self.look, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """Every target of the project with its newest revisions, as they are recorded."""
        visitor = await self._site.enter(request)
        service, project = self._site.service, visitor.project
        first = PageRequest(limit=MAX_RECEIVERS)
        receivers = (await self._site.call(service.list_receivers, project, first)).items
        found = await self._site.call(_recorded, service, receivers)
        return await self._site.page(request, visitor, "targets.html", found=found)

    async def look(self, request: Request) -> Response:
        """The targets of one receiver, as the live systems run them now."""
        visitor = await self._site.enter(request)
        service, id_ = self._site.service, str(request.path_params["id"])
        receiver = await self._site.call(service.get_receiver, visitor.project, id_)
        targets = await self._site.call(_targets, service, receiver, look=True)
        return await self._site.page(request, visitor, "target.html", found=[(receiver, targets)])


def _recorded(
    service: WebhookService, receivers: Sequence[Receiver]
) -> list[tuple[Receiver, list[DeployedTarget]]]:
    return [(receiver, _targets(service, receiver, look=False)) for receiver in receivers]


def _targets(service: WebhookService, receiver: Receiver, *, look: bool) -> list[DeployedTarget]:
    try:
        history = service.interventions.history(receiver.project, receiver.id, look=look)
    except WebhookServiceError as exc:
        return [DeployedTarget(problem=exc.message)]
    slots = [list(group) for _, group in groupby(history, lambda one: one.execution.slot)]
    return [DeployedTarget(slot) for slot in slots or [[]]]
