"""Waiting: callers that want to know what came of their call, without a thread for each.

One task asks the database for all of them together, at once when an execution that somebody waits
for has ended in this process, and every half second for those that ended elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from webhook_service.errors import Unavailable
from webhook_service.model.execution import Execution
from webhook_service.telemetry.observer import Happening, Observer, Recorded

MAX_WAITERS = 1000
MAX_OF_PROJECT = 250
POLL = 0.5
# Between two questions, however many executions end.
MIN_PAUSE = 0.02

log = logging.getLogger(__name__)
Find = Callable[[Collection[str]], Sequence[Execution]]


class _Waiter:
    """One caller: what it waits for, and what has come of that so far."""

    def __init__(self, executions: Iterable[str]) -> None:
        self.missing = set(executions)
        self.found: dict[str, Execution] = {}
        self.done = asyncio.Event()

    def take(self, ended: Mapping[str, Execution]) -> None:
        for id_ in self.missing & ended.keys():
            self.found[id_] = ended[id_]
            self.missing.discard(id_)
        if not self.missing:
            self.done.set()


class Waiters(Observer):
    """Waits for the ends of executions, for many callers at once.

    Args:
        find: gives those of some executions that have come to an end, or are settled.
        limit: how many callers may wait; one more is told at once that nothing has ended yet.
        of_project: how many of one project may.
        on_count: is told how many wait, each time that this changes.
    """

    def __init__(
        self,
        find: Find,
        limit: int = MAX_WAITERS,
        of_project: int = MAX_OF_PROJECT,
        poll: float = POLL,
        on_count: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._find = find
        self._limit = limit
        self._of_project = of_project
        self._poll = poll
        self._on_count = on_count
        self._waiting: set[_Waiter] = set()
        self._projects: Counter[str] = Counter()
        self._watched: frozenset[str] = frozenset()
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = CapacityLimiter(1)
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def refusal(self, project: str) -> str | None:
        """Why one more caller of a project cannot wait now, and what to do."""
        if self._projects[project] >= self._of_project:
            whose = f"project has {self._of_project} callers that wait (the setting MAX_WAITING)"
        elif len(self._waiting) >= self._limit:
            whose = f"service has {self._limit} callers that wait"
        else:
            return None
        return f"The {whose}, which is as many as may: ask the links of the executions instead."

    async def ended(
        self, project: str, executions: Sequence[str], seconds: float
    ) -> Mapping[str, Execution]:
        """Those of some executions that end within so many seconds; all of them, if possible."""
        if self._closed or self.refusal(project) or not executions:
            return {}
        waiter = _Waiter(executions)
        self._waiting.add(waiter)
        self._projects[project] += 1
        self._watch()
        self._begin()
        try:
            async with asyncio.timeout(seconds):
                await waiter.done.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiter)
            self._projects[project] -= 1
            if not self._projects[project]:
                del self._projects[project]
            self._watch()
        return waiter.found

    def close(self) -> None:
        """Answer all who wait with what is known, and let nobody wait any more."""
        self._closed = True
        for waiter in self._waiting:
            waiter.done.set()
        self._told.set()

    def tell(self, happening: Happening) -> None:
        """Called in a worker's thread: ask the database now, if somebody waits for this."""
        if not isinstance(happening, Recorded):
            return
        if happening.claim.execution.id in self._watched and self._loop is not None:
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._told.set)

    def _watch(self) -> None:
        self._on_count(len(self._waiting))
        self._watched = frozenset(id_ for waiter in self._waiting for id_ in waiter.missing)

    def _begin(self) -> None:
        self._told.set()
        if self._task is None or self._task.done():
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        while self._waiting and not self._closed:
            self._told.clear()
            await self._ask()
            await asyncio.sleep(MIN_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._told.wait()

    async def _ask(self) -> None:
        try:
            found = await run_sync(self._find, self._watched, limiter=self._thread)
        except Unavailable as exc:
            return log.debug("executions that callers wait for cannot be read: %s", exc)
        ended = {execution.id: execution for execution in found}
        for waiter in list(self._waiting):
            waiter.take(ended)
        self._watch()
