"""Wake-ups: drivers say that what an execution waits for has changed, before its time is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock


class Wakes:
    """Collects them from any thread, until the engine makes their executions due.

    Args:
        on_wake: tells the engine that there are some; must not wait.
    """

    def __init__(self, on_wake: Callable[[], None]) -> None:
        self._on_wake = on_wake
        self._lock = Lock()
        self._running: set[str] = set()
        self._meanwhile: set[str] = set()
        self._asked: set[str] = set()

    @contextmanager
    def step(self, execution: str) -> Iterator[Callable[[], None]]:
        """Run a step and record it; what is given wakes its execution, now or later.

        What changes while the step runs may not be in what it saw, and nothing waits yet that
        could be woken: such a wake-up counts once the step is recorded.
        """
        with self._lock:
            self._running.add(execution)
        try:
            yield partial(self._ask, execution)
        finally:
            with self._lock:
                self._running.discard(execution)
                came = execution in self._meanwhile
                self._meanwhile.discard(execution)
            if came:
                self._ask(execution)

    def take(self) -> Sequence[str]:
        """The executions to wake now, each once."""
        with self._lock:
            asked, self._asked = self._asked, set()
            return list(asked)

    def _ask(self, execution: str) -> None:
        with self._lock:
            if execution in self._running:
                self._meanwhile.add(execution)
                return
            self._asked.add(execution)
        self._on_wake()
