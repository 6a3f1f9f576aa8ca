"""The worker threads: each runs one claim at a time, and none of them for ever.

A Python thread cannot be killed. One that outlasts its time is abandoned: it is replaced, and ends
by itself when its driver returns. The last quarter of the threads is for projects that run nothing,
so that no project waits behind the queue of another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from webhook_service.model.execution import Claim
from webhook_service.store.queue.capacity import Capacity

# Short steps are claimed ahead, so that threads need not wait for the next commit, and one commit
# claims many: what the threads do in so many seconds, and no more than so many for each thread.
AHEAD_SECONDS = 0.15
MOST_AHEAD = 7
# After so many seconds behind steps that turned out long, it is given back for other hosts.
BEHIND_SECONDS = 1.0
# How much the last step counts in the average.
WEIGHT = 0.1

log = logging.getLogger(__name__)


class _Worker(threading.Thread):
    """A thread with the claim that it runs, and since when."""

    claim: Claim | None = None
    since = 0.0
    abandoned = False


class WorkerThreads:
    """Runs claims on threads of this process.

    Args:
        size: how many run at once.
        run: runs one claim.
        on_free: is called when more claims can be used.
        limit: seconds after which a step is given up.
    """

    def __init__(
        self,
        size: int,
        run: Callable[[Claim], None],
        on_free: Callable[[], None],
        limit: float = 60.0,
    ) -> None:
        self._size = size
        self._reserved = size // 4
        self._run = run
        self._on_free = on_free
        self._limit = limit
        self._changed = threading.Condition()
        self._queue: deque[Claim] = deque()
        self._workers: list[_Worker] = []
        self._abandoned: list[_Worker] = []
        # Until some steps are done they count as long.
        self._average = 2 * AHEAD_SECONDS
        self._closing = False

    @property
    def running(self) -> list[Claim]:
        """What threads work on now, without what was given up."""
        with self._changed:
            return self._running()

    @property
    def in_hand(self) -> list[Claim]:
        """What runs and what is to run next: all that needs its lease."""
        with self._changed:
            return [*self._running(), *self._queue]

    @property
    def abandoned(self) -> int:
        """How many threads hang in a driver that was given up."""
        with self._changed:
            return len(self._abandoned)

    @property
    def is_stuck(self) -> bool:
        """Whether so many threads hang that no more work should be begun."""
        return self.abandoned >= self._size

    def start(self) -> None:
        """Start the threads."""
        with self._changed:
            for _ in range(self._size):
                self._add_worker()

    def capacity(self) -> Capacity:
        """What can be claimed now."""
        with self._changed:
            in_hand = Counter(self._projects([*self._running(), *self._queue]))
            ahead = self._size * int(min(MOST_AHEAD, AHEAD_SECONDS / self._average))
            if self._are_busy_for(AHEAD_SECONDS):
                ahead = 0
            free = self._size + ahead - in_hand.total()
            stuck = len(self._abandoned) >= self._size
            # A claim costs as much for one execution as for many: so none is made for few.
            enough = len(self._queue) >= self._size
            taken = stuck or enough or self._closing
            return Capacity(0 if taken else free, self._reserved, in_hand)

    def put(self, claims: Iterable[Claim]) -> None:
        """Run claims, in their order as far as their projects' shares allow."""
        with self._changed:
            self._queue.extend(claims)
            self._changed.notify_all()

    def withdraw(self) -> list[Claim]:
        """Take back the claims that no thread has begun."""
        with self._changed:
            return self._withdraw()

    def withdraw_behind_long_steps(self) -> list[Claim]:
        """Take back the claims that no thread will begin soon."""
        with self._changed:
            return self._withdraw() if self._are_busy_for(BEHIND_SECONDS) else []

    def abandon_overdue(self) -> list[Claim]:
        """Give up steps that last too long, replace their threads, and give their claims."""
        horizon = time.monotonic() - self._limit
        with self._changed:
            overdue = [each for each in self._workers if each.claim and each.since < horizon]
            for worker in overdue:
                worker.abandoned = True
                self._workers.remove(worker)
                self._abandoned.append(worker)
                self._add_worker()
            return [worker.claim for worker in overdue if worker.claim is not None]

    def replace_dead(self) -> tuple[int, list[Claim]]:
        """Replace threads that ended by themselves; gives their number, and what they ran."""
        with self._changed:
            dead = [each for each in self._workers if not (each.is_alive() or self._closing)]
            for worker in dead:
                self._workers.remove(worker)
                self._add_worker()
            return len(dead), [worker.claim for worker in dead if worker.claim is not None]

    def close(self, timeout: float) -> list[Claim]:
        """Begin nothing more, and wait for what runs; gives what still runs after that."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            workers = list(self._workers)
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        return self.running

    def _add_worker(self) -> None:
        worker = _Worker(target=lambda: self._work(worker), name="engine-worker", daemon=True)
        self._workers.append(worker)
        worker.start()

    def _work(self, worker: _Worker) -> None:
        while (claim := self._next(worker)) is not None:
            try:
                self._run(claim)
            except BaseException:
                # Nothing may end the thread: what it would run keeps its lease for ever.
                log.exception("Execution %s was not recorded.", claim.execution.id)
            finally:
                low = self._finish(worker)
            if low:
                self._on_free()

    def _next(self, worker: _Worker) -> Claim | None:
        """The next claim of a project that may run one more; None to end the thread."""
        with self._changed:
            while not (worker.abandoned or self._closing):
                if (claim := self._startable()) is not None:
                    self._queue.remove(claim)
                    worker.claim, worker.since = claim, time.monotonic()
                    return claim
                self._changed.wait()
        return None

    def _startable(self) -> Claim | None:
        running = Counter(self._projects(self._running()))
        left = Capacity(self._size - running.total(), self._reserved, running)
        return next((each for each in self._queue if left.has_place(each.execution.project)), None)

    def _finish(self, worker: _Worker) -> bool:
        """Let a thread go on; says whether there is little left to do."""
        with self._changed:
            took = time.monotonic() - worker.since
            self._average += WEIGHT * (took - self._average)
            worker.claim = None
            if worker.abandoned:
                self._abandoned.remove(worker)
            self._changed.notify()
            return len(self._queue) <= self._size

    def _withdraw(self) -> list[Claim]:
        claims = list(self._queue)
        self._queue.clear()
        return claims

    def _are_busy_for(self, seconds: float) -> bool:
        """Whether each thread has been in its step for so long."""
        horizon = time.monotonic() - seconds
        busy = [each.claim is not None and each.since < horizon for each in self._workers]
        return bool(busy) and all(busy)

    def _running(self) -> list[Claim]:
        return [worker.claim for worker in self._workers if worker.claim is not None]

    def _projects(self, claims: Iterable[Claim]) -> Iterable[str]:
        return (claim.execution.project for claim in claims)
