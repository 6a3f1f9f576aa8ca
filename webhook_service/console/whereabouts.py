"""Whereabouts: which targets run an image, as far as it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from webhook_service.driver import PushEvent
from webhook_service.errors import WebhookServiceError
from webhook_service.model.history.revision import Revision
from webhook_service.model.receiver import Receiver
from webhook_service.service import WebhookService

MAX_RECEIVERS = 100
_IDS = ("dlv_", "exe_")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A target that runs the image, as its newest revision says; nobody has looked."""

    receiver: Receiver
    revision: Revision


def where_is(
    service: WebhookService, receivers: Sequence[Receiver], text: str
) -> list[Whereabouts] | None:
    """Where an image runs; None for a search that is for no image.

    Args:
        receivers: of the project; of more than a hundred the newest are looked at.
        text: part of the image, its tag or its digest.
    """
    if not text.strip() or text.startswith(_IDS):
        return None
    wanted = text.strip().casefold()
    return [
        Whereabouts(receiver, revision)
        for receiver in receivers[:MAX_RECEIVERS]
        for revision in _running(service, receiver)
        if wanted in _named(revision)
    ]


def _running(service: WebhookService, receiver: Receiver) -> Iterator[Revision]:
    # A receiver whose driver is missing says so on its own page.
    with suppress(WebhookServiceError):
        history = service.interventions.history(receiver.project, receiver.id, look=False)
        yield from (revision for revision in history if revision.live)


def _named(revision: Revision) -> str:
    event = revision.execution.event
    if not isinstance(event, PushEvent):
        return ""
    return f"{event.image} {event.digest or ''}".casefold()
