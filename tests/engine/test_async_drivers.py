"""Drivers with ``async def execute``: on one loop of the engine, and no worse than the others."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import StartHost
from tests.support import add_receiver, make_service, push, sqlite_url, wait_for, wait_for_end
from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    Outcome,
    PushEvent,
    Wait,
    WebhookDriver,
)
from webhook_service.engine.local import LocalEngine
from webhook_service.errors import Retry
from webhook_service.model.execution import ExecutionState
from webhook_service.plugins.instances import Drivers
from webhook_service.plugins.loop import CancelledStep, PluginLoop
from webhook_service.service import WebhookService
from webhook_service.store.store import Store


class AsyncConfig(DriverConfig):
    target: str = "one"


class AsyncDriver(WebhookDriver[AsyncConfig]):
    """Awaits a little, and notes on which loop and thread it ran."""

    Config = AsyncConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.loops: set[int] = set()
        self.threads: set[str] = set()
        self.running = self.most = 0
        self.hang = self.cancelled = self.closed = False

    def slot(self, config: AsyncConfig, event: PushEvent) -> str:
        return config.target

    async def execute(self, config: AsyncConfig, event: PushEvent, context: Context) -> Outcome:
        self.loops.add(id(asyncio.get_running_loop()))
        self.threads.add(threading.current_thread().name)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(60 if self.hang else 0.2)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.running -= 1
        if event.tag == "busy" and context.attempt == 1:
            raise Retry("busy")
        return Done(message="looked") if context.state else Wait(0.05, {"seen": True})

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


def patient(store: Store, drivers: Drivers) -> LocalEngine:
    return LocalEngine(store, drivers, workers=4, poll=0.05, step_seconds=1.0)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(
        sqlite_url(tmp_path), {"async": AsyncDriver}, make_engine=patient, lease=2.0
    ) as service:
        yield service


def receiver(service: WebhookService, name: str = "one") -> str:
    values = {"driver": "async", "asyncConfig": {"target": name}, "stubConfig": None}
    body = {key: value for key, value in values.items() if value is not None}
    made = service.create_receiver("1a5", {"name": name, **body})
    return service.receiver_key("1a5", made.id)


def driver_of(service: WebhookService) -> AsyncDriver:
    found = service.drivers.get("async")
    assert isinstance(found, AsyncDriver)
    return found


def test_it_waits_retries_and_ends_like_any_other_on_every_engine(start_host: StartHost) -> None:
    service = start_host(drivers={"async": AsyncDriver})
    ended = wait_for_end(service, push(service, receiver(service), "busy").executions[0])
    assert (ended.state, ended.message) == (ExecutionState.SUCCEEDED, "looked")
    assert [attempt.steps for attempt in ended.attempts] == [1, 2]


def test_all_of_them_share_one_loop_and_overlap(service: WebhookService) -> None:
    keys = [receiver(service, f"r{number}") for number in range(4)]
    for each in [push(service, key).executions[0] for key in keys]:
        assert wait_for_end(service, each).state is ExecutionState.SUCCEEDED
    driver = driver_of(service)
    assert (len(driver.loops), driver.threads, driver.most > 1) == (1, {"driver-loop"}, True)


def test_one_that_hangs_is_given_up_and_cancelled_so_that_its_thread_comes_back(
    service: WebhookService,
) -> None:
    key = receiver(service)
    driver = driver_of(service)
    driver.hang = True
    execution = push(service, key).executions[0]
    wait_for(lambda: driver.cancelled)
    driver.hang = False
    ended = wait_for_end(service, execution)
    assert ended.state is ExecutionState.SUCCEEDED
    assert "did not return in 1 s" in ended.attempts[0].message
    assert not service.is_stuck


def test_stopped_the_service_closes_it_on_its_loop_and_ends_the_loop(tmp_path: Path) -> None:
    with make_service(sqlite_url(tmp_path), {"async": AsyncDriver}) as service:
        wait_for_end(service, push(service, receiver(service)).executions[0])
        driver = driver_of(service)
    assert driver.closed
    assert "driver-loop" not in {thread.name for thread in threading.enumerate()}


def test_without_asynchronous_drivers_there_is_no_loop(tmp_path: Path) -> None:
    with make_service(sqlite_url(tmp_path)) as service:
        _, key = add_receiver(service)
        wait_for_end(service, push(service, key).executions[0])
        assert "driver-loop" not in {thread.name for thread in threading.enumerate()}


def test_a_loop_cancels_what_takes_too_long() -> None:
    loop = PluginLoop()
    started = time.monotonic()
    with pytest.raises(CancelledStep):
        loop.run(asyncio.sleep(60), 0.05)
    assert loop.run(asyncio.sleep(0, "still there")) == "still there"
    loop.close()
    assert time.monotonic() - started < 5
