"""Wake-ups: a driver that hears of a change is called before its time is over."""

import threading
import time
from collections.abc import Callable

from tests.engine.conftest import StartHost
from tests.support import MakeEngine, add_receiver, local_engine, push, stub_of, wait_for_end
from webhook_service.driver import Context, Done, Outcome, PushEvent, Wait
from webhook_service.engine.wakes import Wakes
from webhook_service.model.execution import ExecutionState

LONG = 3600.0


def test_a_wake_up_ends_a_long_wait(start_host: StartHost, engine: MakeEngine) -> None:
    host = start_host()
    _, key = add_receiver(host)
    wakes: list[Callable[[], None] | None] = []
    done = threading.Event()

    def wait(event: PushEvent, context: Context) -> Outcome:
        wakes.append(context.wake)
        return Wait(LONG if context.wake else 0.05, {})

    def finish(event: PushEvent, context: Context) -> Outcome:
        done.set()
        return Done()

    stub_of(host).steps = [wait, finish]
    execution = push(host, key).executions[0]
    while not done.wait(0.05):
        for wake in wakes:
            if wake:
                wake()
    assert wait_for_end(host, execution).state is ExecutionState.SUCCEEDED
    # Workers of a broker are no one process, so they wait by the clock.
    assert [wake is not None for wake in wakes] == [engine is local_engine]


def test_a_change_during_the_step_is_looked_at_after_it(start_host: StartHost) -> None:
    host = start_host()
    _, key = add_receiver(host)

    def wait(event: PushEvent, context: Context) -> Outcome:
        if context.wake:
            context.wake()
        return Wait(LONG if context.wake else 0.05, {})

    stub_of(host).steps = [wait, wait]
    started = time.monotonic()
    execution = push(host, key).executions[0]
    assert wait_for_end(host, execution).state is ExecutionState.SUCCEEDED
    assert time.monotonic() - started < LONG


def test_a_wake_up_waits_for_the_end_of_its_step() -> None:
    told: list[str] = []
    wakes = Wakes(lambda: told.append("told"))
    with wakes.step("one") as wake:
        wake()
        wake()
        assert (wakes.take(), told) == ([], [])
    assert (wakes.take(), told) == (["one"], ["told"])
    wake()
    wake()
    assert (wakes.take(), wakes.take()) == (["one"], [])


def test_a_step_that_nobody_woke_wakes_nobody() -> None:
    told: list[str] = []
    wakes = Wakes(lambda: told.append("told"))
    with wakes.step("one"):
        pass
    assert (wakes.take(), told) == ([], [])
