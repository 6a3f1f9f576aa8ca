"""Drivers that misbehave, in a whole service on both databases: their own push alone suffers."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import (
    PROJECT,
    add_receiver,
    make_service,
    push,
    sqlite_url,
    stub_of,
    wait_for,
    wait_for_end,
)
from webhook_service.driver import Done, Wait
from webhook_service.engine.local import LocalEngine
from webhook_service.errors import Change, DriverError, Retry, StoreUnavailable
from webhook_service.model.execution import ExecutionState
from webhook_service.plugins import instances
from webhook_service.plugins.instances import Drivers
from webhook_service.service import WebhookService
from webhook_service.store.store import Store
from webhook_service.telemetry.observer import Happening, Observer, Recorded
from webhook_service.testing.stub import StubDriver


@pytest.fixture
def service(database: str) -> Iterator[WebhookService]:
    with make_service(database, lease=10.0) as service:
        yield service


def _is_well(service: WebhookService, tag: str) -> bool:
    """Whether a push of another receiver runs now."""
    _, key = add_receiver(service, name=f"well-{tag}", stubConfig={"target": f"well-{tag}"})
    found = wait_for_end(service, push(service, key, tag).executions[0])
    return found.state is ExecutionState.SUCCEEDED


@pytest.mark.parametrize("count", [1, 9])
def test_drivers_that_end_their_process_end_no_thread(service: WebhookService, count: int) -> None:
    receivers = [
        add_receiver(service, name=f"bad-{n}", stubConfig={"target": f"bad-{n}"})[1]
        for n in range(count)
    ]
    stub_of(service).steps = [SystemExit(3)] * count
    for number, key in enumerate(receivers):
        push(service, key, str(number + 1))
    assert _is_well(service, "100")
    assert not service.is_stuck


SAID = {
    "surrogate in the message": (DriverError("bad \ud800 text"), "failed"),
    "long reason": (DriverError("no", code="c" * 1000), "failed"),
    "NUL in the reason": (DriverError("no", code="a\0b"), "failed"),
    "NUL in a change": (Done((Change("t", "f", "a\0", "b\0"),)), "succeeded"),
    "surrogate in a change": (Done((Change("\ud800", "f", None, None),)), "succeeded"),
    "object in a change": (Done((Change("t", "f", None, object()),)), "failed"),  # type: ignore[arg-type]
    "pause is NaN": (Wait(math.nan, {}), "failed"),
    "retry after NaN": (Retry("busy", after=math.nan), "failed"),
}


@pytest.mark.parametrize(("said", "state"), SAID.values(), ids=SAID)
def test_whatever_a_driver_says_is_recorded_after_one_run(
    service: WebhookService, said: Any, state: str
) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [said]
    found = wait_for_end(service, push(service, key).executions[0])
    assert (found.state, len(stub_of(service).calls)) == (state, 1)
    assert found.reason != "worker_lost"
    assert _is_well(service, "100")


def test_a_state_that_no_database_takes_comes_back_clean(service: WebhookService) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [Wait(0.05, {"\ud800": "a\0b"}), Done()]
    found = wait_for_end(service, push(service, key).executions[0])
    assert found.state is ExecutionState.SUCCEEDED
    assert stub_of(service).calls[1].context.state == {"?": "ab"}


class Failing(Observer):
    def tell(self, happening: Happening) -> None:
        if isinstance(happening, Recorded):
            raise SystemExit("an observer that ends its process")
        raise RuntimeError("an observer that fails")


def test_an_observer_that_fails_changes_nothing(service: WebhookService) -> None:
    service.observers.add(Failing())
    _, key = add_receiver(service)
    found = wait_for_end(service, push(service, key).executions[0])
    assert (found.state, len(stub_of(service).calls)) == (ExecutionState.SUCCEEDED, 1)


class Unclosable(StubDriver):
    """Raises when it is closed, or never returns from that."""

    ended: list[str] = []
    hangs: threading.Event | None = None

    def close(self) -> None:
        self.ended.append("asked")
        if self.hangs is not None:
            self.hangs.wait()
        raise SystemExit(3)


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
def test_a_driver_that_cannot_be_closed_keeps_nothing_else_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    released = threading.Event()
    monkeypatch.setattr(Unclosable, "hangs", released if hangs else None)
    monkeypatch.setattr(instances, "CLOSE_SECONDS", 0.1)
    service = make_service(sqlite_url(tmp_path), {"stub": Unclosable, "good": Closable})
    service.start()
    service.drivers.get("stub"), service.drivers.get("good")
    service.stop()
    released.set()
    assert Unclosable.ended.pop() == "asked" and Closable.ended.pop() == "closed"
    with pytest.raises(StoreUnavailable):
        service.store.ping()


class Closable(StubDriver):
    ended: list[str] = []

    def close(self) -> None:
        self.ended.append("closed")


class Mute(DriverError):
    def __init__(self) -> None:
        """Without what every error of ours has."""


SAID_ODDLY = {
    "an error without its parts": (Mute(), "driver_crashed"),
    "settled is an object": (Wait(0.05, {}, settled=object()), None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("said", "reason"), SAID_ODDLY.values(), ids=SAID_ODDLY)
def test_what_cannot_be_read_of_a_driver_loses_no_worker(
    service: WebhookService, said: Any, reason: str | None
) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [said, DriverError("enough")]
    execution = push(service, key).executions[0]
    wait_for(lambda: service.get_execution(PROJECT, execution).attempts)
    wait_for(lambda: stub_of(service).calls)
    wait_for(lambda: service.get_execution(PROJECT, execution).state != "running")
    assert service.get_execution(PROJECT, execution).reason in (reason, "driver_failed")


@pytest.mark.parametrize(("settled", "state"), [(False, "failed"), (True, "succeeded")])
def test_an_endless_wait_ends_by_the_limit(database: str, settled: bool, state: str) -> None:
    def engine(store: Store, drivers: Drivers) -> LocalEngine:
        return LocalEngine(store, drivers, workers=2, poll=0.05, rollout_seconds=0.5)

    with make_service(database, make_engine=engine) as service:
        _, key = add_receiver(service)
        waits = Wait(0.1, {}, "still rolling", settled=settled)
        stub_of(service).steps = [waits] * 100
        found = wait_for_end(service, push(service, key).executions[0])
        assert found.state == state
        assert 2 <= len(stub_of(service).calls) <= 5
        if not settled:
            assert found.reason == "waited_too_long"
            assert found.message.endswith("WEBHOOK_SERVICE_ROLLOUT_SECONDS allows: still rolling")


def test_time_in_which_nobody_looked_does_not_count(database: str) -> None:
    with make_service(database) as service:
        _, key = add_receiver(service)
        stub_of(service).steps = [Wait(0.05, {})]
        execution = push(service, key).executions[0]
        wait_for_end(service, execution)
        with service.store.database.read() as connection:
            watched = connection.exec_driver_sql("SELECT watched FROM executions").scalar_one()
    assert 0.05 <= watched < 0.5
