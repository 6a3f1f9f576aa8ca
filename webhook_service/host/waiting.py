"""Waiting: callers that want to know what came of their call, without a thread for each.

One task of each event loop asks the database for all who wait there, at once when an execution that
somebody waits for has ended in this process, and every half second for those that ended elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import threading
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


class _OneLoop:
    """Those who wait on one event loop, and the task that asks for them; nothing is shared."""

    def __init__(self, find: Find, poll: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiting: set[_Waiter] = set()
        self.projects: Counter[str] = Counter()
        self.watched: frozenset[str] = frozenset()
        self._find = find
        self._poll = poll
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = CapacityLimiter(1)

    def add(self, project: str, waiter: _Waiter) -> None:
        self.waiting.add(waiter)
        self.projects[project] += 1
        self._watch()
        self._told.set()
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._serve())

    def remove(self, project: str, waiter: _Waiter) -> None:
        self.waiting.discard(waiter)
        self.projects[project] -= 1
        self._watch()

    def tell(self) -> None:
        """Ask the database now; for any thread."""
        with suppress(RuntimeError):  # the event loop is closed
            self.loop.call_soon_threadsafe(self._told.set)

    def release(self) -> None:
        """Answer all who wait with what is known; for any thread."""
        with suppress(RuntimeError):  # the event loop is closed
            self.loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        for waiter in self.waiting:
            waiter.done.set()
        self._told.set()

    def _watch(self) -> None:
        self.watched = frozenset(id_ for waiter in self.waiting for id_ in waiter.missing)

    async def _serve(self) -> None:
        while self.waiting:
            self._told.clear()
            await self._ask()
            await asyncio.sleep(MIN_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._told.wait()

    async def _ask(self) -> None:
        try:
            found = await run_sync(self._find, self.watched, limiter=self._thread)
        except Unavailable as exc:
            return log.debug("executions that callers wait for cannot be read: %s", exc)
        ended = {execution.id: execution for execution in found}
        for waiter in list(self.waiting):
            waiter.take(ended)
        self._watch()


class Waiters(Observer):
    """Waits for the ends of executions, for many callers at once, on any event loop.

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
        # Only those on which somebody waits. It is replaced as a whole: workers' threads read it.
        self._loops: tuple[_OneLoop, ...] = ()
        # What a loop left behind may be collected, and so removed, wherever a thread stands.
        self._lock = threading.RLock()
        self._closed = False

    def __len__(self) -> int:
        return sum(len(each.waiting) for each in self._loops if not each.loop.is_closed())

    def refusal(self, project: str) -> str | None:
        """Why one more caller of a project cannot wait now, and what to do."""
        alive = [each for each in self._loops if not each.loop.is_closed()]
        if sum(each.projects[project] for each in alive) >= self._of_project:
            whose = f"project has {self._of_project} callers that wait (the setting MAX_WAITING)"
        elif len(self) >= self._limit:
            whose = f"service has {self._limit} callers that wait"
        else:
            return None
        return f"The {whose}, which is as many as may: ask the links of the executions instead."

    async def ended(
        self, project: str, executions: Sequence[str], seconds: float
    ) -> Mapping[str, Execution]:
        """Those of some executions that end within so many seconds; all of them, if possible."""
        waiter = _Waiter(executions)
        with self._lock:
            if self._closed or not executions or self.refusal(project):
                return {}
            mine = self._of_this_loop()
            mine.add(project, waiter)
        self._on_count(len(self))
        try:
            async with asyncio.timeout(seconds):
                await waiter.done.wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                mine.remove(project, waiter)
                self._keep_those_in_use()
            self._on_count(len(self))
        return waiter.found

    def close(self) -> None:
        """Answer all who wait with what is known, and let nobody wait any more."""
        with self._lock:
            self._closed = True
        for each in self._loops:
            each.release()

    def tell(self, happening: Happening) -> None:
        """Called in a worker's thread: ask the database now, if somebody waits for this."""
        if isinstance(happening, Recorded):
            for each in self._loops:
                if happening.claim.execution.id in each.watched:
                    each.tell()

    def _of_this_loop(self) -> _OneLoop:
        loop = asyncio.get_running_loop()
        found = next((each for each in self._loops if each.loop is loop), None)
        if found is None:
            found = _OneLoop(self._find, self._poll)
            self._loops = (*self._loops, found)
        return found

    def _keep_those_in_use(self) -> None:
        """Forget loops on which nobody waits, and those that ended under their callers."""
        self._loops = tuple(
            [each for each in self._loops if each.waiting and not each.loop.is_closed()]
        )
