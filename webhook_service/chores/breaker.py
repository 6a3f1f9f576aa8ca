"""A breaker: registries that refuse or limit calls are left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0


class Breaker:
    """Pauses by host: what the host asks for, or a minute that doubles up to an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def left(self, host: str) -> float:
        """Seconds for which the host is to be left alone."""
        return max(0.0, self._until.get(host, 0.0) - self._clock())

    def failed(self, host: str, at_least: float = 0.0) -> None:
        """The host did not answer; ``at_least`` is what it asked for, in seconds."""
        count = self._failures.get(host, 0)
        self._failures[host] = count + 1
        pause = min(FIRST_PAUSE * 2 ** min(count, 10), LONGEST_PAUSE)
        self._until[host] = self._clock() + max(pause, at_least)

    def answered(self, host: str) -> None:
        """The host is well."""
        self._failures.pop(host, None)
        self._until.pop(host, None)
