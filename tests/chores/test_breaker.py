from webhook_service.chores.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker

HOST, OTHER = "registry.example", "other.example"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_host_that_fails_is_left_alone_for_longer_each_time() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    assert breaker.left(HOST) == 0
    breaker.failed(HOST)
    assert (breaker.left(HOST), breaker.left(OTHER)) == (FIRST_PAUSE, 0)
    clock.now += FIRST_PAUSE
    assert breaker.left(HOST) == 0
    breaker.failed(HOST)
    assert breaker.left(HOST) == 2 * FIRST_PAUSE
    for _ in range(2000):
        breaker.failed(HOST)
    assert breaker.left(HOST) == LONGEST_PAUSE


def test_a_host_is_left_alone_for_as_long_as_it_asks() -> None:
    breaker = Breaker(Clock())
    breaker.failed(HOST, 900)
    assert breaker.left(HOST) == 900


def test_a_host_that_answers_begins_anew() -> None:
    breaker = Breaker(Clock())
    breaker.failed(HOST)
    breaker.failed(HOST)
    breaker.answered(HOST)
    assert breaker.left(HOST) == 0
    breaker.failed(HOST)
    assert breaker.left(HOST) == FIRST_PAUSE
