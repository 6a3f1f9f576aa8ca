"""Rows for the store's tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.support import PROJECT, SECRET
from webhook_service.driver import PushEvent, Request
from webhook_service.model.delivery import Decision, Delivery, DeliveryState, Work
from webhook_service.model.ids import DELIVERY, EXECUTION, RECEIVER, new_id, new_key
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.settings import load_settings
from webhook_service.store.database.database import Database
from webhook_service.store.store import Store, open_store

NOW = datetime.now(UTC).replace(microsecond=0)
_numbers = count()


def limited_store(url: str, **limits: int) -> Store:
    """A store with some limits of the settings."""
    return open_store(load_settings(database_url=url, secret_key=SECRET, **limits))


def add_receiver(store: Store, name: str = "shop", project: str = PROJECT) -> tuple[str, str]:
    """A stored receiver's id and key."""
    spec = ReceiverSpec(name=name, driver="stub", config={"target": "t"})
    receiver, key = Receiver(new_id(RECEIVER), project, spec, NOW, NOW), new_key()
    store.receivers.add(receiver, key)
    return receiver.id, key


def work(tag: str = "1", at: float = 0, slot: str = "slot", identity: str | None = None) -> Work:
    """A push that happened ``at`` seconds after now, with an id of its own."""
    name = identity or f"push-{next(_numbers)}"
    event = PushEvent(registry="docker.io", repository="acme/shop", tag=tag, source_id=name)
    moment = NOW + timedelta(seconds=at)
    return Work(new_id(EXECUTION), event, event.image, name, slot, moment)


def request(slot: str = "slot") -> Work:
    """A raw request."""
    execution = new_id(EXECUTION)
    return Work(execution, Request(body=b"{}"), "request", execution, slot, NOW)


def decision(
    receiver: str,
    *works: Work,
    project: str = PROJECT,
    received: datetime | None = None,
    **fields: Any,
) -> Decision:
    """A call that brings the works; ``fields`` are the decision's."""
    delivery = Delivery(
        new_id(DELIVERY),
        project,
        receiver,
        DeliveryState.ACCEPTED if works else DeliveryState.IGNORED,
        received or datetime.now(UTC),
        items=tuple(work.item for work in works),
        executions=tuple(work.execution for work in works),
    )
    return Decision(delivery, works, "stub", "dockerhub", b"{}", **fields)


def accept(store: Store, receiver: str, *works: Work, project: str = PROJECT) -> Delivery:
    """Store a call that brings the works."""
    return store.intake.accept(decision(receiver, *works, project=project, received=store.now()))


@contextmanager
def as_one_group(database: Database) -> Iterator[None]:
    """Let the writer find all that is queued meanwhile at once, when it goes on after this."""
    begun, gate = threading.Event(), threading.Event()

    def hold_up(_: object, items: object) -> list[bool]:
        begun.set()
        return [gate.wait(20)]

    held_up = database.submit(hold_up, None)
    assert begun.wait(20)
    try:
        yield
    finally:
        gate.set()
    assert held_up.result(20)
