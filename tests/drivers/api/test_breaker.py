from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from webhook_drivers.kubernetes.api.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from webhook_service import DriverError, Retry


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("moon", clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Retry, match="no answer"), breaker.call():
            raise Retry("no answer", code="unreachable")


def is_open(breaker: Breaker) -> bool:
    try:
        with breaker.call():
            return False
    except Retry as error:
        assert error.reason == "cluster_down"
        return True


def test_a_cluster_that_never_answers_is_not_asked_for_a_while(breaker: Breaker) -> None:
    fail(breaker, FAILURES)
    with pytest.raises(Retry, match=r"cluster moon did not answer.*in 5 s") as refused:
        with breaker.call():
            raise AssertionError("it was asked")
    assert refused.value.after == FIRST_PAUSE


def test_fewer_failures_than_five_in_a_row_change_nothing(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker, FAILURES - 1)
        assert not is_open(breaker)


@pytest.mark.parametrize("error", [DriverError("not there", code="not_found"), Retry("busy")])
def test_an_error_that_the_cluster_itself_answers_is_an_answer(
    breaker: Breaker, error: DriverError
) -> None:
    fail(breaker, FAILURES - 1)
    with pytest.raises(DriverError), breaker.call():
        raise error
    fail(breaker)
    assert not is_open(breaker)


def test_after_the_pause_one_call_goes_through_and_closes_it(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, FAILURES)
    clock.now += FIRST_PAUSE
    with breaker.call():
        assert is_open(breaker)
    assert not is_open(breaker)


def test_each_failed_probe_doubles_the_pause_up_to_a_minute(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    pauses = []
    for _ in range(6):
        with pytest.raises(Retry) as refused, breaker.call():
            raise AssertionError("it was asked")
        pauses.append(refused.value.after)
        clock.now += refused.value.after
        fail(breaker)
    assert pauses == [FIRST_PAUSE, 10, 20, 40, LONGEST_PAUSE, LONGEST_PAUSE]


def test_many_calls_that_fail_at_once_count_as_one_outage(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES - 1)

    def late() -> Iterator[None]:
        with pytest.raises(Retry), breaker.call():
            yield
            raise Retry("no answer", code="unreachable")

    waiting = [late() for _ in range(2)]
    for call in waiting:
        next(call)
    for call in waiting:
        next(call, None)
    clock.now += FIRST_PAUSE
    assert not is_open(breaker)


def test_a_hanging_cluster_gets_no_more_workers_than_three(breaker: Breaker, clock: Clock) -> None:
    with ExitStack() as hanging:
        for _ in range(3):
            assert not is_open(breaker)
            hanging.enter_context(breaker.call())
        clock.now += 3.5
        assert is_open(breaker)
    assert not is_open(breaker)
