"""The recorder: workers go on while results are on their way to the database."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url, wait_for
from webhook_service.engine.attempt import Unrecorded
from webhook_service.engine.engine import Engine
from webhook_service.engine.local import LocalEngine
from webhook_service.engine.recorder import Recorder
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.plugins.instances import Drivers
from webhook_service.service import WebhookService
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store


class Database:
    """Stands for the commits of results: each lasts until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Semaphore(0)
        self.recorded: list[str] = []

    def record(self, step: Unrecorded) -> None:
        self.may_end.acquire(timeout=10)
        self.recorded.append(step.claim.execution.id)
        if step.verdict.message == "odd":
            raise SystemExit(3)


def _step(id_: str, message: str = "") -> Unrecorded:
    claim: Any = SimpleNamespace(execution=SimpleNamespace(id=id_))
    return Unrecorded(claim, Verdict(ExecutionState.SUCCEEDED, message), ExitStack())


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database()
    yield made
    made.may_end.release(100)


def _recorder(database: Any, most: int = 8) -> tuple[Recorder, list[int]]:
    told: list[int] = []
    recorder = Recorder(database, most, lambda: told.append(len(database.recorded)))
    recorder.start()
    return recorder, told


def _ids(recorder: Recorder) -> list[str]:
    return [claim.execution.id for claim in recorder.claims]


def test_results_under_way_keep_their_leases_and_are_recorded_in_their_order(
    database: Database,
) -> None:
    recorder, told = _recorder(database)
    for id_ in "abc":
        recorder.take(_step(id_))
    assert _ids(recorder) == ["a", "b", "c"]
    database.may_end.release()
    assert wait_for(lambda: _ids(recorder) == ["b", "c"])
    database.may_end.release(2)
    assert wait_for(lambda: told == [3]) and not recorder.claims
    assert database.recorded == ["a", "b", "c"]


def test_workers_wait_while_too_many_results_are_under_way(database: Database) -> None:
    recorder, _ = _recorder(database, most=2)
    recorder.take(_step("a"))
    recorder.take(_step("b"))
    third = threading.Thread(target=recorder.take, args=(_step("c"),))
    third.start()
    third.join(0.1)
    assert third.is_alive()
    database.may_end.release()
    third.join(5)
    assert not third.is_alive()


def test_a_result_that_cannot_be_recorded_ends_nothing_but_itself(database: Database) -> None:
    recorder, told = _recorder(database)
    recorder.take(_step("a", "odd"))
    recorder.take(_step("b"))
    database.may_end.release(2)
    assert wait_for(lambda: told == [2])
    assert not recorder.is_gone


def test_closing_waits_for_what_is_under_way_and_no_longer_than_it_may(database: Database) -> None:
    recorder, _ = _recorder(database)
    recorder.take(_step("a"))
    recorder.close(0.05)
    assert _ids(recorder) == ["a"]
    database.may_end.release()
    recorder.close(5)
    assert database.recorded == ["a"] and not recorder.claims
    assert not recorder.is_gone


def _one_worker(store: Store, drivers: Drivers) -> Engine:
    return LocalEngine(store, drivers, workers=1)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), lease=3.0, make_engine=_one_worker) as service:
        yield service


def test_a_commit_that_is_late_keeps_no_worker_from_the_next_step_and_loses_no_lease(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, submitted = threading.Event(), list[str]()
    recorded, submit = Queue.recorded, Queue.submit
    renewed: list[str] = []
    renew = Queue.renew

    def late(self: Queue, claim: Claim, write: Any) -> None:
        may_end.wait(60)
        recorded(self, claim, write)

    def note(self: Queue, claim: Claim, verdict: Verdict) -> Any:
        submitted.append(claim.execution.id)
        return submit(self, claim, verdict)

    def note_renewed(self: Queue, claims: Any) -> None:
        renewed.extend(claim.execution.id for claim in claims)
        renew(self, claims)

    monkeypatch.setattr(Queue, "recorded", late)
    monkeypatch.setattr(Queue, "submit", note)
    monkeypatch.setattr(Queue, "renew", note_renewed)
    targets = [{"name": name, "stubConfig": {"target": name}} for name in "ab"]
    keys = [add_receiver(service, **target)[1] for target in targets]
    first, second = (push(service, key).executions[0] for key in keys)
    assert wait_for(lambda: set(submitted) == {first, second})
    assert wait_for(lambda: {first, second} <= set(renewed))
    may_end.set()
    for each in (first, second):
        assert wait_for(lambda each=each: _state(service, each) == "succeeded")


def _state(service: WebhookService, execution: str) -> str:
    return service.get_execution(PROJECT, execution).state


def test_what_waits_for_the_slot_begins_as_soon_as_the_result_is_recorded(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service._engine, "_poll", 60.0)
    _, key = add_receiver(service)
    last = [push(service, key, tag=str(number)).executions[0] for number in range(5)][-1]
    assert wait_for(lambda: _state(service, last) == "succeeded", 10)
