import threading
import time
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
from webhook_service.driver import Context as DriverContext
from webhook_service.driver import Done, Outcome, PushEvent, Wait
from webhook_service.errors import DriverError, Retry, StoreUnavailable
from webhook_service.model.execution import ExecutionState
from webhook_service.service import WebhookService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path)) as service:
        yield service


def test_an_accepted_push_runs_at_once(service: WebhookService) -> None:
    _, key = add_receiver(service)
    execution = wait_for_end(service, push(service, key).executions[0])
    assert execution.state is ExecutionState.SUCCEEDED
    assert [call.event.tag for call in stub_of(service).calls] == ["1.2.3"]


def test_a_wait_comes_back_with_its_state(service: WebhookService) -> None:
    _, key = add_receiver(service)

    def step(event: PushEvent, context: DriverContext) -> Outcome:
        turns = context.state.get("turns", 0)
        return Done() if turns == 3 else Wait(0.05, {"turns": turns + 1}, f"turn {turns}")

    stub_of(service).steps = [step] * 4
    execution = wait_for_end(service, push(service, key).executions[0])
    assert (execution.state, execution.attempts[0].steps) == (ExecutionState.SUCCEEDED, 4)


def test_waits_hold_no_threads(service: WebhookService) -> None:
    stub_of(service).steps = [Wait(60, {}, "rolling")] * 20
    keys = [add_receiver(service, name=str(n), stubConfig={"target": str(n)})[1] for n in range(20)]
    executions = [push(service, key).executions[0] for key in keys]

    def states() -> set[str]:
        return {service.get_execution(PROJECT, one).state for one in executions}

    # Four threads, twenty rollouts.
    assert wait_for(lambda: states() == {"waiting"})
    assert len(stub_of(service).calls) == 20


def test_a_transient_fault_is_tried_again(service: WebhookService) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [Retry("not yet"), Done(message="now")]
    execution = wait_for_end(service, push(service, key).executions[0])
    assert [attempt.state for attempt in execution.attempts] == ["retrying", "succeeded"]
    assert execution.message == "now"


def test_a_final_error_ends_the_execution_with_its_sentence(service: WebhookService) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [DriverError("Deployment shop/shop does not exist.", code="missing")]
    execution = wait_for_end(service, push(service, key).executions[0])
    assert (execution.state, execution.reason) == (ExecutionState.FAILED, "missing")


def test_a_long_step_keeps_its_lease(tmp_path: Path) -> None:
    def slow(event: PushEvent, context: DriverContext) -> Outcome:
        time.sleep(4.0)
        return Done()

    with make_service(sqlite_url(tmp_path), lease=3.0) as service:
        _, key = add_receiver(service)
        stub_of(service).steps = [slow]
        execution = wait_for_end(service, push(service, key).executions[0])
    assert execution.state is ExecutionState.SUCCEEDED
    assert len(execution.attempts) == 1


def test_a_busy_slot_coalesces_what_arrives_meanwhile(service: WebhookService) -> None:
    _, key = add_receiver(service)
    entered, gate = threading.Event(), threading.Event()

    def block(event: PushEvent, context: DriverContext) -> Outcome:
        entered.set()
        gate.wait(5)
        return Done()

    stub_of(service).steps = [block]
    first = push(service, key, "1", pushed_at=None).executions[0]
    assert entered.wait(5)
    later = [push(service, key, tag, pushed_at=None).executions[0] for tag in "2345"]
    gate.set()
    states = [wait_for_end(service, execution).state for execution in [first, *later]]
    assert states == ["succeeded", "superseded", "superseded", "superseded", "succeeded"]
    assert [call.event.tag for call in stub_of(service).calls] == ["1", "5"]


def test_a_push_that_waits_for_its_slot_keeps_nobody_busy(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = add_receiver(service)
    stub_of(service).steps = [Wait(60, {}, "rolling")]
    rolling = push(service, key, "1", pushed_at=None).executions[0]
    wait_for(lambda: service.get_execution(PROJECT, rolling).state == "waiting")
    push(service, key, "2", pushed_at=None)
    claims: list[int] = []
    real = service.store.claims.claim
    monkeypatch.setattr(
        service.store.claims, "claim", lambda *room: claims.append(room[0]) or real(*room)
    )
    time.sleep(1.0)
    # The engine of these tests asks every 0.05 s.
    assert len(claims) <= 25


def test_stopping_waits_for_what_runs_and_closes_the_drivers(tmp_path: Path) -> None:
    service = make_service(sqlite_url(tmp_path))
    service.start()
    _, key = add_receiver(service)
    entered = threading.Event()

    def slow(event: PushEvent, context: DriverContext) -> Outcome:
        entered.set()
        time.sleep(0.3)
        return Done()

    stub = stub_of(service)
    stub.steps = [slow]
    execution = push(service, key).executions[0]
    assert entered.wait(5)
    service.stop()
    assert stub.closed
    with make_service(sqlite_url(tmp_path), run=False) as reopened:
        assert reopened.get_execution(PROJECT, execution).state is ExecutionState.SUCCEEDED


def test_stopping_ends_in_time_although_the_thread_of_leases_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, gate = threading.Event(), threading.Event()
    service = make_service(sqlite_url(tmp_path), lease=0.3)

    def sweep() -> int:
        hangs.set()
        assert gate.wait(60)
        return 0

    monkeypatch.setattr(service.store.claims, "sweep", sweep)
    service.start()
    assert hangs.wait(10)
    stopping = threading.Thread(target=service.stop, args=(0.2,))
    stopping.start()
    stopping.join(20)
    stopped = not stopping.is_alive()
    gate.set()
    assert stopped


def test_what_was_queued_before_a_stop_runs_after_the_start(tmp_path: Path) -> None:
    with make_service(sqlite_url(tmp_path), run=False) as idle:
        _, key = add_receiver(idle)
        execution = push(idle, key).executions[0]
    with make_service(sqlite_url(tmp_path)) as service:
        assert wait_for_end(service, execution).state is ExecutionState.SUCCEEDED


def test_two_engines_on_one_database_share_the_work_without_doubling_it(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with make_service(url) as one, make_service(url) as two:
        keys = [
            add_receiver(one, name=str(number), stubConfig={"target": str(number)})[1]
            for number in range(30)
        ]
        executions = [push(one, key).executions[0] for key in keys]
        found = [wait_for_end(two, execution) for execution in executions]
        assert {execution.state for execution in found} == {ExecutionState.SUCCEEDED}
        assert len(stub_of(one).calls) + len(stub_of(two).calls) == 30


def test_a_failing_store_does_not_end_the_engine(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = service.store.claims.claim, iter(range(3))

    def claim(*room: Any) -> object:
        if next(failures, None) is not None:
            raise StoreUnavailable("down")
        return real(*room)

    monkeypatch.setattr(service.store.claims, "claim", claim)
    _, key = add_receiver(service)
    execution = push(service, key).executions[0]
    assert wait_for(lambda: wait_for_end(service, execution)).state is ExecutionState.SUCCEEDED
