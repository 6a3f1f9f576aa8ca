"""The local engine: one dispatcher and a pool of threads over the store's tables.

Hosts on one PostgreSQL share the work through claims; a waiting execution holds no thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from webhook_service.engine.attempt import ROLLOUT_SECONDS, Attempts
from webhook_service.engine.engine import Engine
from webhook_service.engine.judge import Resolves
from webhook_service.engine.recorder import Recorder
from webhook_service.engine.threads import WorkerThreads
from webhook_service.engine.wakes import Wakes
from webhook_service.errors import WebhookServiceError
from webhook_service.model.execution import Claim
from webhook_service.plugins.instances import Drivers
from webhook_service.store.queue.leases import TIMED_OUT, WORKER_LOST
from webhook_service.store.store import Store
from webhook_service.telemetry.logs import FaultLog
from webhook_service.telemetry.observer import (
    LeasesLost,
    Observer,
    WorkersAbandoned,
    WorkersBusy,
    WorkersDied,
)

POLL = 1.0
# Between two claims that find nothing, though something is due: another host has it in hand.
MIN_PAUSE = 0.02
# Results of so many steps for each worker may be under way to the database.
RECORDS = 4
# How often in the time of a lease, or of a step, they are looked after.
LOOKS = 3

log = logging.getLogger(__name__)


class LocalEngine(Engine):
    """Runs executions on threads of this process.

    Args:
        workers: how many executions run at once.
        poll: seconds after which the store is asked for work that nobody announced.
        resolver: asks registries, for receivers that want it.
        observer: is told what came of each step.
        step_seconds: how long one call of a driver may take.
        rollout_seconds: for how long an execution may wait, in all.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        workers: int = 8,
        poll: float = POLL,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
        step_seconds: float = 60.0,
        rollout_seconds: float = ROLLOUT_SECONDS,
    ) -> None:
        self._claims = store.claims
        self._poll = poll
        self._observer = observer or Observer()
        self._woken = threading.Event()
        self._wakes = Wakes(self._woken.set)
        self._attempts = Attempts(
            *(store.claims, drivers, resolver, self._observer, rollout_seconds, step_seconds),
            self._wakes,
        )
        self._recorder = Recorder(self._attempts, RECORDS * workers, self._woken.set)
        self._stopping = threading.Event()
        self._step_seconds = step_seconds
        self._workers = WorkerThreads(workers, self._run, self._woken.set, step_seconds)
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._dispatch, "engine-dispatcher"),
                (self._look_after, "engine-leases"),
            )
        ]
        self._started: list[threading.Thread] = []

    @property
    def is_stuck(self) -> bool:
        return self._workers.is_stuck or self._is_headless

    @property
    def _is_headless(self) -> bool:
        """Whether a thread is gone without which work is not begun, recorded or kept."""
        alive = all(thread.is_alive() for thread in self._started) and not self._recorder.is_gone
        return not (alive or self._stopping.is_set())

    def start(self) -> None:
        self._recorder.start()
        self._workers.start()
        for thread in self._threads:
            thread.start()
            # Not before: until it has begun it seems dead.
            self._started.append(thread)

    def wake(self, executions: Sequence[str] = ()) -> None:
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> None:
        if not self._started:
            return self._attempts.close()  # it was never started
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._woken.set()
        self._threads[0].join(timeout)
        left = self._workers.withdraw()
        running = self._workers.close(max(0.0, deadline - time.monotonic()))
        self._recorder.close(max(0.0, deadline - time.monotonic()))
        self._threads[1].join(max(0.0, deadline - time.monotonic()))
        self._hand_over(left, running)
        self._attempts.close()

    def _dispatch(self) -> None:
        """Claim work for the threads, and sleep while there is none or no room for it."""
        faults = FaultLog(log, "Claiming work")
        while not self._stopping.is_set():
            self._woken.clear()
            pause = self._poll
            with faults():
                pause = self._fill()
            if pause and not self._stopping.is_set():
                self._woken.wait(pause)

    def _fill(self) -> float:
        """Claim what there is room for; gives the seconds until it is worth trying again."""
        self._claims.wake(self._wakes.take())
        self._give_back()
        capacity = self._workers.capacity()
        if capacity.free <= 0:
            return self._poll
        claims = self._claims.claim(capacity.free, capacity.running, capacity.reserved)
        self._workers.put(claims)
        return 0.0 if claims else self._pause()

    def _give_back(self) -> None:
        """Let other hosts have what waits behind long steps; it stays in hand until they can."""
        if not (behind := self._workers.withdraw_behind_long_steps()):
            return
        try:
            self._claims.release(behind)
        except WebhookServiceError:
            self._workers.put(behind)
            raise

    def _pause(self) -> float:
        due = self._claims.next_due()
        if due is None:
            return self._poll
        return min(max((due - self._claims.now()).total_seconds(), MIN_PAUSE), self._poll)

    def _run(self, claim: Claim) -> None:
        self._observer.tell(WorkersBusy(len(self._workers.running)))
        try:
            self._recorder.take(self._attempts.step(claim))
        finally:
            self._observer.tell(WorkersBusy(len(self._workers.running) - 1))

    def _look_after(self) -> None:
        """Renew the leases of what is in hand, give up what hangs, take back what others lost."""
        interval = min(self._claims.lease.total_seconds(), self._step_seconds) / LOOKS
        duties = [
            (FaultLog(log, "Replacing threads"), self._replace),
            (FaultLog(log, "Looking after hung workers"), self._give_up),
            (FaultLog(log, "Renewing leases"), self._renew),
            (FaultLog(log, "Looking for lost workers"), self._sweep),
        ]
        while not self._stopping.is_set():
            for faults, duty in duties:
                with faults():
                    duty()
            self._stopping.wait(interval)

    def _replace(self) -> None:
        """Replace threads that something ended from within, and give up what they ran."""
        count, lost = self._workers.replace_dead()
        if not count:
            return
        log.error("%d threads of workers ended by themselves, and were replaced.", count)
        self._observer.tell(WorkersDied(count))
        message = "The thread that ran this ended"
        self._observer.tell(LeasesLost(self._claims.give_up(lost, message, WORKER_LOST)))
        self.wake()

    def _renew(self) -> None:
        if claims := [*self._workers.in_hand, *self._recorder.claims]:
            self._claims.renew(claims)

    def _sweep(self) -> None:
        if lost := self._claims.sweep():
            self._observer.tell(LeasesLost(lost))
            self.wake()

    def _give_up(self) -> None:
        """Let go of steps that outlast their time, and of claims that wait behind such steps."""
        if not (overdue := self._workers.abandon_overdue()):
            return
        hang = self._workers.abandoned
        self._observer.tell(WorkersAbandoned(hang))
        log.error(
            "%d steps did not end in %g s and were given up: %s. %d threads hang%s.",
            len(overdue),
            self._step_seconds,
            ", ".join(claim.execution.id for claim in overdue),
            hang,
            "; no more work is begun until they return" if self.is_stuck else "",
        )
        self._claims.release(self._workers.withdraw())
        message = f"The driver did not return in {self._step_seconds:g} s"
        self._observer.tell(LeasesLost(self._claims.give_up(overdue, message, TIMED_OUT)))
        self.wake()

    def _hand_over(self, left: Sequence[Claim], running: Sequence[Claim]) -> None:
        """End the leases of what this engine will not finish, so that others need not wait."""
        if running:
            log.warning("Stopped with %d drivers still running; they run again.", len(running))
        try:
            self._claims.release(left)
            self._claims.give_up(running, "The host stopped while it ran this", WORKER_LOST)
        except WebhookServiceError as exc:
            log.warning("What was left runs again when its lease ends: %s", exc)
