"""The circuit breaker of one cluster: a dead cluster must not hold the workers of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from webhook_service import Retry

FAILURES = 5
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
SLOW = 3.0
SLOW_CALLS = 3


class Breaker:
    """Refuses calls to a cluster that does not answer, and lets one through now and then to see.

    It opens after five failures in a row, for five seconds and then twice as long each time, up to
    a minute. While three calls hang for over three seconds it takes no more either: a cluster that
    hangs would have every worker by the time that its calls fail.

    Args:
        name: the cluster's name, for messages.
        clock: seconds that only grow.
    """

    def __init__(self, name: str, clock: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._pause = 0.0
        self._closed_from = 0.0
        self._probe = 0
        self._started: dict[int, float] = {}
        self._calls = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard one call; it counts as failed if it raises ``Retry`` for want of an answer.

        Raises:
            Retry: the cluster is not asked now.
        """
        number = self._enter()
        answered = True
        try:
            yield
        except Retry as error:
            answered = error.reason != "unreachable"
            raise
        finally:
            self._leave(number, answered)

    def check(self) -> None:
        """For a call to what is behind the cluster's API, whose faults say nothing about the API.

        Raises:
            Retry: the cluster is not asked now.
        """
        with self._lock:
            self._refuse(self._clock())

    def _enter(self) -> int:
        with self._lock:
            now = self._clock()
            self._refuse(now)
            self._calls += 1
            self._started[self._calls] = now
            if self._failures >= FAILURES:
                self._probe = self._calls
            return self._calls

    def _leave(self, number: int, answered: bool) -> None:
        with self._lock:
            self._started.pop(number, None)
            if answered:
                self._failures, self._pause = 0, 0.0
                return
            self._failures += 1
            if self._failures == FAILURES or number == self._probe:
                self._pause = min(self._pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
                self._closed_from = self._clock() + self._pause

    def _refuse(self, now: float) -> None:
        if self._failures >= FAILURES and self._probe in self._started:
            raise self._refusal(FIRST_PAUSE)
        if self._failures >= FAILURES and now < self._closed_from:
            raise self._refusal(self._closed_from - now)
        if sum(now - start > SLOW for start in self._started.values()) >= SLOW_CALLS:
            raise self._refusal(SLOW)

    def _refusal(self, seconds: float) -> Retry:
        return Retry(
            f"The API of cluster {self._name} did not answer for a while; it is asked again in "
            f"{seconds:.0f} s.",
            after=seconds,
            code="cluster_down",
        )
