"""The local engine's threads: hung drivers, fair shares, and handing over at the end."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

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
from webhook_service.driver import Context, Done, Outcome, PushEvent
from webhook_service.engine import threads
from webhook_service.engine.local import LocalEngine
from webhook_service.engine.threads import WorkerThreads
from webhook_service.errors import StoreUnavailable
from webhook_service.model.execution import Claim
from webhook_service.service import WebhookService
from webhook_service.store.queue.leases import MAX_LOST_LEASES
from webhook_service.telemetry.observer import (
    Happening,
    Observer,
    ResultRefused,
    WorkersAbandoned,
    WorkersDied,
)
from webhook_service.testing.stub import StubCall

FLOOD, QUIET = 300, 9
OTHER = "2b6"
StartService = Callable[..., WebhookService]


class Watcher(Observer):
    def __init__(self) -> None:
        self.hanging: list[int] = []
        self.refused: list[str] = []
        self.died = 0

    def tell(self, happening: Happening) -> None:
        match happening:
            case WorkersAbandoned(count):
                self.hanging.append(count)
            case WorkersDied(count):
                self.died += count
            case ResultRefused(claim):
                self.refused.append(claim.execution.id)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def start(tmp_path: Path, watcher: Watcher) -> Iterator[StartService]:
    """Called with settings of the local engine, it gives a running service."""
    started: list[WebhookService] = []

    def start(**settings: Any) -> WebhookService:
        engine = partial(LocalEngine, poll=0.05, observer=watcher, **settings)
        service = make_service(sqlite_url(tmp_path), lease=1.5, make_engine=engine)
        service.start()
        started.append(service)
        return service

    yield start
    for service in started:
        service.stop()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Drivers that hang go on when it is set."""
    event = threading.Event()
    yield event
    event.set()


def targets(service: WebhookService, count: int, project: str = PROJECT) -> list[str]:
    names = [f"{project}-{number}" for number in range(count)]
    return [
        add_receiver(service, project, name=name, stubConfig={"target": name})[1] for name in names
    ]


def test_a_driver_that_hangs_is_given_up_and_its_late_result_refused(
    start: StartService, released: threading.Event, watcher: Watcher
) -> None:
    service = start(workers=2, step_seconds=0.3)
    stub = stub_of(service)

    def hang(event: PushEvent, context: Context) -> Outcome:
        released.wait(30)
        return Done(message="too late")

    stub.steps = [hang, Done(message="the second try")]
    (key,) = targets(service, 1)
    execution = wait_for_end(service, push(service, key).executions[0])
    assert execution.message == "the second try"
    assert execution.attempts[0].message == "The driver did not return in 0.3 s (1 times in a row)."
    released.set()
    assert wait_for(lambda: watcher.refused) == [execution.id]
    assert service.get_execution(PROJECT, execution.id).message == "the second try"


def test_a_driver_that_always_hangs_ends_in_the_dead_letter(
    start: StartService, released: threading.Event
) -> None:
    service = start(workers=4, step_seconds=0.3)
    stub_of(service).steps = [lambda event, context: released.wait(30)] * MAX_LOST_LEASES  # type: ignore[list-item]
    (key,) = targets(service, 1)
    execution = wait_for_end(service, push(service, key).executions[0])
    assert (execution.state, execution.reason) == ("failed", "timed_out")
    assert len(execution.attempts) == MAX_LOST_LEASES
    assert not service.is_stuck


def test_an_engine_whose_drivers_all_hang_says_so_and_begins_nothing_more(
    start: StartService, released: threading.Event, watcher: Watcher
) -> None:
    service = start(workers=2, step_seconds=0.3)
    stub = stub_of(service)
    stub.steps = [lambda event, context: released.wait(30)] * 100  # type: ignore[list-item]
    executions = [push(service, key).executions[0] for key in targets(service, 6)]
    wait_for(lambda: service.is_stuck)
    before = len(stub.calls)
    time.sleep(0.5)
    assert len(stub.calls) == before <= 4
    assert max(watcher.hanging) <= 4
    stub.steps = []
    released.set()
    ended = [wait_for_end(service, execution) for execution in executions]
    assert {execution.state for execution in ended} == {"succeeded"}
    assert not service.is_stuck


def test_a_flood_of_one_project_keeps_another_one_waiting_for_no_worker(
    start: StartService, released: threading.Event
) -> None:
    service = start(workers=4)
    stub = stub_of(service)

    def slow(event: PushEvent, context: Context) -> Outcome:
        released.wait(30)
        time.sleep(0.02)
        return Done()

    stub.steps = [slow] * (FLOOD + QUIET)
    flood, quiet = targets(service, FLOOD), targets(service, QUIET, OTHER)
    for key in flood:
        push(service, key)
    released.set()
    waited = []
    for key in quiet:
        begun = len(stub.calls)
        push(service, key, project=OTHER)
        waited.append(wait_for(lambda: place_of(OTHER, stub.calls[begun:])))  # noqa: B023
    assert len(stub.calls) < FLOOD
    # A worker is free for it, so only what began during its own push is before it.
    assert statistics.median(waited) <= 4


def place_of(project: str, calls: list[StubCall]) -> int | None:
    """Which of the calls is the first of a project, counted from 1; None if there is none yet."""
    places = (place for place, call in enumerate(calls, 1) if call.context.project == project)
    return next(places, None)


def test_a_project_never_runs_on_the_last_quarter_of_the_workers(start: StartService) -> None:
    service = start(workers=4)
    running, most, lock, full = 0, 0, threading.Lock(), threading.Event()

    def count(event: PushEvent, context: Context) -> Outcome:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 3:
                full.set()
        full.wait(30)
        time.sleep(0.01)
        with lock:
            running -= 1
        return Done()

    stub_of(service).steps = [count] * 40
    for execution in [push(service, key).executions[0] for key in targets(service, 40)]:
        wait_for_end(service, execution)
    assert most == 3


def test_a_stop_gives_back_at_once_what_was_not_begun_and_what_still_runs(
    start: StartService, released: threading.Event, tmp_path: Path
) -> None:
    service = start(workers=2)
    stub, keys = stub_of(service), targets(service, 10)
    first = [push(service, key).executions[0] for key in keys]
    for execution in first:
        wait_for_end(service, execution)
    # Short steps were seen, so more is claimed now than there are threads.
    stub.steps = [lambda event, context: released.wait(30)] * 10  # type: ignore[list-item]
    executions = [push(service, key, "2", pushed_at=None).executions[0] for key in keys]
    wait_for(lambda: len(stub.calls) == 12)
    service.stop(timeout=0.2)
    with make_service(sqlite_url(tmp_path), lease=30.0) as other:
        ended = [wait_for_end(other, execution) for execution in executions]
    assert {execution.state for execution in ended} == {"succeeded"}
    tries = sorted(len(execution.attempts) for execution in ended)
    assert tries == [1] * 8 + [2] * 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced_and_counted(
    start: StartService, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [2]

    def dying(threads: WorkerThreads, worker: Any) -> bool:
        if left[0] > 0:
            left[0] -= 1
            raise SystemExit(3)
        return finish(threads, worker)

    finish = WorkerThreads._finish
    monkeypatch.setattr(WorkerThreads, "_finish", dying)
    service = start(workers=2, step_seconds=3)
    for number in range(4):
        _, key = add_receiver(service, name=f"r{number}", stubConfig={"target": f"t{number}"})
        found = wait_for_end(service, push(service, key, str(number + 1)).executions[0])
        assert found.state == "succeeded"
    wait_for(lambda: watcher.died == 2)
    assert not service.is_stuck


@pytest.mark.parametrize("loop", ["_dispatch", "_look_after"])
def test_an_engine_without_one_of_its_loops_says_that_it_is_stuck(
    start: StartService, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    monkeypatch.setattr(LocalEngine, loop, lambda self: None)
    service = start(workers=1)
    assert wait_for(lambda: service.is_stuck)


@pytest.mark.parametrize(("waiting", "free"), [(0, 16), (1, 15), (2, 0), (5, 0)])
def test_short_steps_are_claimed_many_at_a_time(
    monkeypatch: pytest.MonkeyPatch, waiting: int, free: int
) -> None:
    """A claim is a transaction: with enough in hand none is made for the next one or two."""
    workers = WorkerThreads(2, lambda _: None, lambda: None)
    monkeypatch.setattr(workers, "_average", 0.001)
    workers.put([Mock(spec=Claim, execution=Mock(project=PROJECT)) for _ in range(waiting)])
    assert workers.capacity().free == free


@pytest.mark.parametrize(
    ("seconds", "free"), [(0.001, 16), (0.03, 12), (0.04, 8), (0.1, 4), (0.2, 2), (60.0, 2)]
)
def test_what_is_claimed_ahead_is_done_within_a_fraction_of_a_second(
    monkeypatch: pytest.MonkeyPatch, seconds: float, free: int
) -> None:
    """Another host may have a thread for it, and newer pushes should find it waiting."""
    workers = WorkerThreads(2, lambda _: None, lambda: None)
    monkeypatch.setattr(workers, "_average", seconds)
    assert workers.capacity().free == free
    assert (free // 2 - 1) * seconds <= threads.AHEAD_SECONDS


def test_a_host_that_has_just_begun_claims_nothing_ahead() -> None:
    assert WorkerThreads(2, lambda _: None, lambda: None).capacity().free == 2


def test_what_was_claimed_ahead_goes_to_another_host_when_steps_turn_out_long(
    start: StartService, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = start(workers=2)
    engine = host._engine
    assert isinstance(engine, LocalEngine)
    monkeypatch.setattr(engine._workers, "_average", 0.001)
    monkeypatch.setattr(threads, "AHEAD_SECONDS", 2.0)
    monkeypatch.setattr(threads, "BEHIND_SECONDS", 3.0)
    release, failures = host.store.claims.release, iter(range(3))

    def released_at_last(claims: Any) -> int:
        if next(failures, None) is not None:
            raise StoreUnavailable("down")
        return release(claims)

    monkeypatch.setattr(host.store.claims, "release", released_at_last)
    stub_of(host).steps = [lambda event, context: released.wait(30)] * 2  # type: ignore[list-item]
    executions = [push(host, key).executions[0] for key in targets(host, 4)]
    long, ahead = executions[:2], executions[2:]
    assert wait_for(lambda: {_state(host, each) for each in ahead} == {"running"})
    assert wait_for(lambda: {_state(host, each) for each in ahead} == {"queued"})
    other = start(workers=2)
    for each in ahead:
        found = wait_for_end(other, each)
        assert (found.state, len(found.attempts)) == ("succeeded", 1)
    assert {_state(host, each) for each in long} == {"running"}


def _state(service: WebhookService, execution: str) -> str:
    return service.get_execution(PROJECT, execution).state


def test_a_service_is_not_stuck_while_its_threads_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def begin(thread: threading.Thread) -> None:
        assert not service.is_stuck
        begun.append(thread.name)
        real(thread)

    service, real = make_service(sqlite_url(tmp_path)), threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", begin)
    with service:
        service.create_token(PROJECT)
    assert {"store-writer", "engine-dispatcher", "engine-leases"} <= set(begun)


def test_a_database_without_its_writer_makes_the_service_stuck(start: StartService) -> None:
    service = start(workers=1)
    database = service.store.database
    assert not service.is_stuck
    database._queue.put(None)  # what ends the thread
    assert wait_for(lambda: service.is_stuck)
    database._closed = True
