"""The task that waits for executions on behalf of many callers."""

import asyncio
from collections.abc import Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import add_receiver, make_service, push, sqlite_url, wait_for, wait_for_end
from webhook_service.errors import StoreUnavailable
from webhook_service.host.waiting import Waiters
from webhook_service.model.execution import Execution, ExecutionState, Verdict
from webhook_service.telemetry.observer import Recorded


@pytest.fixture
def execution(tmp_path: Path) -> Execution:
    """One that has ended."""
    with make_service(sqlite_url(tmp_path)) as service:
        _, key = add_receiver(service)
        return wait_for_end(service, push(service, key).executions[0])


class Executions:
    """Gives the executions that have ended; unavailable as long as ``away``."""

    def __init__(self) -> None:
        self.ended: dict[str, Execution] = {}
        self.asked: list[set[str]] = []
        self.away = False

    def find(self, ids: Collection[str]) -> list[Execution]:
        self.asked.append(set(ids))
        if self.away:
            raise StoreUnavailable("away")
        return [self.ended[id_] for id_ in ids if id_ in self.ended]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def test_many_callers_share_each_question(execution: Execution) -> None:
    source, counts = Executions(), list[int]()

    async def scenario() -> None:
        waiters = Waiters(source.find, poll=0.05, on_count=counts.append)
        names = [f"exe_{number}" for number in range(50)]
        calls = [asyncio.create_task(waiters.ended("1a5", [name], 5)) for name in names]
        while not source.asked or len(source.asked[-1]) < 50:
            await asyncio.sleep(0.01)
        source.ended = {name: replace(execution, id=name) for name in names}
        assert [list(found) for found in await asyncio.gather(*calls)] == [[n] for n in names]
        assert len(waiters) == 0

    run(scenario())
    assert len(source.asked) < 20
    assert (max(counts), counts[-1]) == (50, 0)


def test_an_end_elsewhere_is_seen_at_the_next_question(execution: Execution) -> None:
    source = Executions()

    async def scenario() -> float:
        waiters = Waiters(source.find, poll=0.05)
        call = asyncio.create_task(waiters.ended("1a5", [execution.id], 5))
        while len(source.asked) < 2:
            await asyncio.sleep(0.01)
        source.ended = {execution.id: execution}
        started = asyncio.get_running_loop().time()
        assert await call
        return asyncio.get_running_loop().time() - started

    assert run(scenario()) < 1


def test_an_end_in_this_process_is_seen_at_once(execution: Execution) -> None:
    source = Executions()
    claim: Any = type("Claim", (), {"execution": execution})()

    async def scenario() -> None:
        waiters = Waiters(source.find, poll=60)
        call = asyncio.create_task(waiters.ended("1a5", [execution.id], 60))
        while not source.asked:
            await asyncio.sleep(0.01)
        source.ended = {execution.id: execution}
        await asyncio.to_thread(waiters.tell, Recorded(claim, Verdict(execution.state)))
        assert await asyncio.wait_for(call, 5)

    run(scenario())


def test_callers_on_several_loops_are_told_and_released_each_on_its_own(
    execution: Execution,
) -> None:
    source = Executions()
    waiters = Waiters(source.find, poll=60)
    claim: Any = type("Claim", (), {"execution": execution})()

    def wait(id_: str) -> Any:
        return asyncio.run(waiters.ended("1a5", [id_], 60), debug=True)

    with ThreadPoolExecutor(4) as loops:
        told = [loops.submit(wait, execution.id) for _ in range(2)]
        released = [loops.submit(wait, "exe_1") for _ in range(2)]
        assert wait_for(lambda: len(source.asked) == 4, 30)
        source.ended = {execution.id: execution}
        waiters.tell(Recorded(claim, Verdict(execution.state)))
        assert [list(call.result(30)) for call in told] == [[execution.id]] * 2
        assert len(waiters) == 2
        waiters.close()
        assert [call.result(30) for call in released] == [{}] * 2
    assert len(waiters) == 0


def test_a_loop_that_ended_under_its_callers_keeps_no_place(execution: Execution) -> None:
    source = Executions()
    waiters = Waiters(source.find, limit=1, poll=0.05)
    gone = asyncio.new_event_loop()
    left = gone.create_task(waiters.ended("1a5", ["exe_1"], 60))
    gone.run_until_complete(asyncio.sleep(0.01))
    assert len(waiters) == 1
    gone.close()
    left._log_destroy_pending = False  # type: ignore[attr-defined]
    source.ended = {execution.id: execution}
    found = asyncio.run(waiters.ended("1a5", [execution.id], 5))
    assert list(found) == [execution.id]


def test_one_waiter_too_many_is_told_at_once() -> None:
    source = Executions()

    async def scenario() -> None:
        waiters = Waiters(source.find, limit=2, poll=0.05)
        calls = [asyncio.create_task(waiters.ended("1a5", ["exe_1"], 60)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(waiters.ended("1a5", ["exe_2"], 60), 1) == {}
        waiters.close()
        assert await asyncio.gather(*calls) == [{}, {}]
        assert await asyncio.wait_for(waiters.ended("1a5", ["exe_3"], 60), 1) == {}

    run(scenario())


def test_the_callers_of_one_project_leave_places_to_those_of_others() -> None:
    source = Executions()

    async def scenario() -> None:
        waiters = Waiters(source.find, limit=10, of_project=2, poll=0.05)
        calls = [asyncio.create_task(waiters.ended("1a5", ["exe_1"], 60)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(waiters.ended("1a5", ["exe_1"], 60), 1) == {}
        assert "has 2 callers that wait" in (waiters.refusal("1a5") or "")
        other = asyncio.create_task(waiters.ended("other", ["exe_2"], 60))
        await asyncio.sleep(0)
        assert len(waiters) == 3
        calls[0].cancel()
        await asyncio.sleep(0)
        assert waiters.refusal("1a5") is None
        waiters.close()
        assert await asyncio.gather(calls[1], other) == [{}, {}]

    run(scenario())


def test_a_database_that_is_away_does_not_end_the_waiting(execution: Execution) -> None:
    source = Executions()
    source.away = True

    async def scenario() -> None:
        waiters = Waiters(source.find, poll=0.02)
        call = asyncio.create_task(waiters.ended("1a5", [execution.id], 5))
        while len(source.asked) < 3:
            await asyncio.sleep(0.01)
        source.away, source.ended = False, {execution.id: execution}
        assert await call

    run(scenario())


def test_only_what_was_asked_for_ends_the_wait(tmp_path: Path) -> None:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        _, key = add_receiver(service)
        (id_,) = push(service, key).executions
        asked = [id_, *(f"exe_{number}" for number in range(1200))]
        assert service.store.executions.ended(asked) == []
        (claim,) = service.store.claims.claim(1)
        service.store.claims.record(claim, Verdict(ExecutionState.SUCCEEDED))
        assert [each.id for each in service.store.executions.ended(asked)] == [id_]
