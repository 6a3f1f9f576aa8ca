"""The recorder: results are stored behind the workers, which go on with what is claimed.

A worker that waited for each commit would make one commit for nearly each result. So the writer
takes many results at once, and a result counts only when its commit has ended.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from webhook_service.engine.attempt import Attempts, Unrecorded
from webhook_service.model.execution import Claim

log = logging.getLogger(__name__)


class Recorder:
    """Waits for the commits of results, in a thread of its own.

    Args:
        attempts: records a step.
        most: results that may be under way; then workers wait.
        on_recorded: is called when no result is under way any more.
    """

    def __init__(self, attempts: Attempts, most: int, on_recorded: Callable[[], None]) -> None:
        self._attempts = attempts
        self._most = most
        self._on_recorded = on_recorded
        self._changed = threading.Condition()
        self._steps: deque[Unrecorded] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="engine-recorder", daemon=True)
        self._is_started = False

    @property
    def claims(self) -> list[Claim]:
        """Those whose results are under way: they need their leases."""
        with self._changed:
            return [step.claim for step in self._steps]

    @property
    def is_gone(self) -> bool:
        """Whether its thread has ended, though nobody closed it."""
        return self._is_started and not (self._closing or self._thread.is_alive())

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._is_started = True  # not before: until it has begun it seems dead

    def take(self, step: Unrecorded) -> None:
        """Take a step over; waits while too many are under way."""
        with self._changed:
            while len(self._steps) >= self._most:
                self._changed.wait()
            self._steps.append(step)
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        """Wait for what is under way, for at most so many seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _work(self) -> None:
        while (step := self._next()) is not None:
            try:
                self._attempts.record(step)
            except BaseException:
                # Nothing may end the thread: workers would wait for it for ever.
                log.exception("Execution %s was not recorded.", step.claim.execution.id)
            with self._changed:
                self._steps.popleft()
                self._changed.notify_all()
                is_last = not self._steps
            if is_last:
                self._on_recorded()

    def _next(self) -> Unrecorded | None:
        with self._changed:
            while not (self._steps or self._closing):
                self._changed.wait()
            return self._steps[0] if self._steps else None
