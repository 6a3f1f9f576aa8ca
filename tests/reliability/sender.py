"""Pushes and harm in threads of this process, and what must have become of the pushes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support import add_receiver, push, stub_of, wait_for_end
from webhook_service.errors import StoreUnavailable, with_cause
from webhook_service.model.delivery import Delivery
from webhook_service.service import WebhookService
from webhook_service.store import migrate
from webhook_service.store.database.database import Database


class Sender:
    """Sends pushes one after the other, each to a target of its own, until it is taken."""

    def __init__(self, service: WebhookService, count: int, name: str = "") -> None:
        self.taken: list[str] = []
        self.moments: list[float] = []
        self._service = service
        self._keys = [
            add_receiver(service, name=f"{name}{n}", stubConfig={"target": f"{name}{n}"})[1]
            for n in range(10)
        ]
        self._name = name
        self._count = count
        self.thread = threading.Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        for number in range(self._count):
            while True:
                try:
                    made = self._push(number)
                except StoreUnavailable:
                    time.sleep(0.05)
                    continue
                self.taken += made.executions
                self.moments.append(time.monotonic())
                break

    def _push(self, number: int) -> Delivery:
        tag = f"{self._name}{number}"
        return push(self._service, self._keys[number % 10], tag, pushed_at=None)


def migrated(url: str) -> None:
    with closing(Database(url)) as database:
        migrate.upgrade(database)


def refused(service: WebhookService, key: str) -> str:
    """Send a push that nothing may be stored of; gives the cause that the log has."""
    with pytest.raises(StoreUnavailable) as error:
        push(service, key, "refused")
    return with_cause(error.value)


def taken(service: WebhookService, key: str, tag: str = "2") -> tuple[str, ...]:
    """Send a push; gives its executions, or nothing while none is stored."""
    try:
        return push(service, key, tag).executions
    except StoreUnavailable:
        return ()


def assert_each_ran_once(
    service: WebhookService, executions: list[str], *others: WebhookService
) -> None:
    """Wait for the end of all; a push that a newer one overtook did not need to run.

    Args:
        others: services on the same database, which may have run some of them.
    """
    states = [wait_for_end(service, each, 60).state for each in executions]
    calls = [call.event.tag for each in (service, *others) for call in stub_of(each).calls]
    assert set(states) <= {"succeeded", "superseded"}
    assert len(calls) == len(set(calls)) == states.count("succeeded")


@contextmanager
def again_and_again(do: Callable[[], object], seconds: float) -> Iterator[None]:
    """Do it each so many seconds, and once before the block begins."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(seconds):
            do()

    do()
    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)
