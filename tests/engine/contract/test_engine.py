"""What every engine promises, on every database."""

import statistics
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.engine.conftest import StartHost
from tests.support import PROJECT, add_receiver, push, stub_of, wait_for, wait_for_end
from webhook_service.driver import Context, Done, Outcome, PushEvent, Wait
from webhook_service.errors import DriverError, Retry
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.service import WebhookService
from webhook_service.store.queue.leases import MAX_LOST_LEASES


class Gate:
    """A step of a driver that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, event: PushEvent, context: Context) -> Outcome:
        self.entered.release()
        self._open.wait(30)
        return Done(message="let go")

    def wait_until_entered(self) -> None:
        assert self.entered.acquire(timeout=10), "the driver was not called"

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def lose_workers(service: WebhookService) -> None:
    """As if every worker that runs something had died a while ago, and that was found now."""
    statement = text("UPDATE executions SET lease_until = 1 WHERE state = 'running'")
    service.store.database.write(lambda connection: connection.execute(statement))
    service.store.claims.sweep()


def read(service: WebhookService, execution: str) -> Execution:
    return service.get_execution(PROJECT, execution)


def targets(service: WebhookService, count: int) -> list[str]:
    """The keys of receivers that each have a slot of their own."""
    names = [f"shop-{number}" for number in range(count)]
    return [add_receiver(service, name=name, stubConfig={"target": name})[1] for name in names]


def test_an_accepted_push_runs_once_and_succeeds(host: WebhookService) -> None:
    _, key = add_receiver(host)
    execution = wait_for_end(host, push(host, key).executions[0])
    assert (execution.state, execution.message) == ("succeeded", "the stub is done")
    assert [call.event.tag for call in stub_of(host).calls] == ["1.2.3"]


def test_a_transient_fault_is_tried_again_after_a_pause(host: WebhookService) -> None:
    _, key = add_receiver(host)
    stub_of(host).steps = [Retry("API down"), Retry("still down"), Done()]
    execution = wait_for_end(host, push(host, key).executions[0], 20)
    states = [attempt.state for attempt in execution.attempts]
    assert states == ["retrying", "retrying", "succeeded"]


def test_a_final_error_ends_in_the_dead_letter(host: WebhookService) -> None:
    _, key = add_receiver(host)
    stub_of(host).steps = [DriverError("Deployment shop/shop does not exist.", code="missing")]
    execution = wait_for_end(host, push(host, key).executions[0])
    assert (execution.state, execution.reason) == ("failed", "missing")
    assert len(stub_of(host).calls) == 1


def test_a_driver_that_waits_comes_back_with_its_state(host: WebhookService) -> None:
    _, key = add_receiver(host)
    stub_of(host).steps = [Wait(0.05, {"turn": 1}, "rolling"), Wait(0.05, {"turn": 2}), Done()]
    execution = wait_for_end(host, push(host, key).executions[0])
    states = [call.context.state for call in stub_of(host).calls]
    assert states == [{}, {"turn": 1}, {"turn": 2}]
    assert [attempt.steps for attempt in execution.attempts] == [3]


def test_a_busy_slot_runs_only_the_newest_of_what_arrives_meanwhile(
    host: WebhookService, gate: Gate
) -> None:
    _, key = add_receiver(host)
    stub_of(host).steps = [gate]
    first = push(host, key, "1", pushed_at=None).executions[0]
    gate.wait_until_entered()
    later = [push(host, key, tag, pushed_at=None).executions[0] for tag in "234"]
    gate.open()
    ended = [wait_for_end(host, execution) for execution in (first, *later)]
    states = [execution.state for execution in ended]
    assert states == ["succeeded", "superseded", "superseded", "succeeded"]
    assert [call.event.tag for call in stub_of(host).calls] == ["1", "4"]


def test_slots_do_not_wait_for_each_other(host: WebhookService, gate: Gate) -> None:
    slow, quick = targets(host, 2)
    stub_of(host).steps = [gate]
    first = push(host, slow).executions[0]
    gate.wait_until_entered()
    assert wait_for_end(host, push(host, quick).executions[0]).state == "succeeded"
    assert read(host, first).state == "running"


def test_a_lost_execution_is_taken_over_and_the_late_result_is_refused(
    start_host: StartHost, gate: Gate
) -> None:
    host = start_host()
    _, key = add_receiver(host)
    stub_of(host).steps = [gate, Done(message="the second worker")]
    execution = push(host, key).executions[0]
    gate.wait_until_entered()
    lose_workers(host)
    assert wait_for_end(host, execution).message == "the second worker"
    gate.open()
    next_one = push(host, key, "2", pushed_at=None).executions[0]
    assert wait_for_end(host, next_one).state == "succeeded"
    found = read(host, execution)
    assert found.message == "the second worker"
    assert [attempt.state for attempt in found.attempts] == ["retrying", "succeeded"]


def test_what_loses_its_worker_again_and_again_ends_in_the_dead_letter(
    start_host: StartHost, gate: Gate
) -> None:
    host = start_host()
    poison, other = targets(host, 2)
    stub_of(host).steps = [gate] * MAX_LOST_LEASES
    execution = push(host, poison).executions[0]
    for _ in range(MAX_LOST_LEASES):
        gate.wait_until_entered()
        lose_workers(host)
    found = wait_for_end(host, execution)
    assert (found.state, found.reason) == (ExecutionState.FAILED, "worker_lost")
    assert len(found.attempts) == MAX_LOST_LEASES
    gate.open()
    assert wait_for_end(host, push(host, other).executions[0]).state == "succeeded"


def test_stopping_finishes_what_runs_and_leaves_the_rest_to_another_host(
    start_host: StartHost, gate: Gate
) -> None:
    host = start_host()
    stub, keys = stub_of(host), targets(host, 12)
    stub.steps = [gate] * len(keys)
    executions = [push(host, key).executions[0] for key in keys]
    gate.wait_until_entered()
    threading.Timer(0.3, gate.open).start()
    host.stop()
    started = {call.context.execution for call in stub.calls}
    other = start_host()
    ended = {execution: wait_for_end(other, execution) for execution in executions}
    assert {execution.state for execution in ended.values()} == {"succeeded"}
    assert {id_ for id_, each in ended.items() if each.message == "let go"} == started
    assert all(len(execution.attempts) == 1 for execution in ended.values())


def test_two_hosts_share_the_work_without_doubling_it(start_host: StartHost) -> None:
    one, two = start_host(), start_host()
    executions = [push(one, key).executions[0] for key in targets(one, 30)]
    states = {wait_for_end(two, execution).state for execution in executions}
    assert states == {"succeeded"}
    calls = [*stub_of(one).calls, *stub_of(two).calls]
    assert sorted(call.context.execution for call in calls) == sorted(executions)


def test_an_idle_engine_starts_at_once(host: WebhookService) -> None:
    _, key = add_receiver(host)
    latencies = []
    for number in range(11):
        sent = time.monotonic()
        push(host, key, str(number), pushed_at=None)
        wait_for(lambda: len(stub_of(host).calls) > number)  # noqa: B023
        latencies.append(time.monotonic() - sent)
    assert statistics.median(latencies) < 0.5
