"""The local engine: one dispatcher and some worker threads over the store's tables.

Hosts on one PostgreSQL share the work through claims; a waiting execution holds no thread.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from datetime import UTC, datetime

from webhook_service.drivers import Drivers
from webhook_service.engine.engine import Engine
from webhook_service.engine.preparation import Resolves
from webhook_service.engine.runner import run
from webhook_service.errors import WebhookServiceError
from webhook_service.execution import Claim
from webhook_service.observer import Observer
from webhook_service.store.claims import Fenced
from webhook_service.store.store import Store

POLL = 1.0
# Between two claims that find nothing, though something is due: another host has it in hand.
MIN_PAUSE = 0.02
RECORD_TRIES = 3

log = logging.getLogger(__name__)


class LocalEngine(Engine):
    """Runs executions on threads of this process.

    Args:
        workers: how many executions run at once.
        poll: seconds after which the store is asked for work that nobody announced.
        resolver: asks registries, for receivers that want it.
        observer: is told what came of each step.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        workers: int = 8,
        poll: float = POLL,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._drivers = drivers
        self._workers = workers
        self._poll = poll
        self._resolver = resolver
        self._observer = observer or Observer()
        self._queue: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._running: dict[str, Claim] = {}
        self._state = threading.Condition()
        self._woken = False
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        targets = [self._dispatch, self._keep_leases, *[self._work] * self._workers]
        self._threads = [
            threading.Thread(target=target, name=f"engine-{number}", daemon=True)
            for number, target in enumerate(targets)
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        with self._state:
            self._woken = True
            self._state.notify_all()

    def stop(self, timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        with self._state:
            self._stopping = True
            self._state.notify_all()
        for _ in range(self._workers):
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if still := [thread.name for thread in self._threads if thread.is_alive()]:
            log.warning("Stopped with drivers still running (%s); they run again.", len(still))
        if self._resolver is not None:
            self._resolver.close()

    def _dispatch(self) -> None:
        """Claim work for the free workers, and sleep while there is none."""
        while self._wait_for_free_worker():
            try:
                claims = self._store.claims.claim(self._free)
                self._hand_out(claims)
                pause = 0.0 if claims else self._pause()
            except WebhookServiceError as exc:
                log.warning("Claiming work failed, trying again: %s", exc)
                pause = self._poll
            except Exception:
                log.exception("Claiming work failed, trying again.")
                pause = self._poll
            self._sleep(pause)

    @property
    def _free(self) -> int:
        return self._workers - len(self._running)

    def _wait_for_free_worker(self) -> bool:
        """Wait until a worker is free; false when the engine stops."""
        with self._state:
            self._state.wait_for(lambda: self._stopping or self._free > 0)
            return not self._stopping

    def _hand_out(self, claims: list[Claim]) -> None:
        with self._state:
            self._running.update((claim.execution.id, claim) for claim in claims)
        for claim in claims:
            self._queue.put(claim)

    def _pause(self) -> float:
        due = self._store.claims.next_due()
        if due is None:
            return self._poll
        return min(max((due - datetime.now(UTC)).total_seconds(), MIN_PAUSE), self._poll)

    def _sleep(self, pause: float) -> None:
        with self._state:
            if pause > 0:
                self._state.wait_for(lambda: self._stopping or self._woken, pause)
            self._woken = False

    def _work(self) -> None:
        while (claim := self._queue.get()) is not None:
            try:
                self._run(claim)
            except Exception:
                log.exception("Execution %s was not recorded.", claim.execution.id)
            finally:
                with self._state:
                    self._running.pop(claim.execution.id, None)
                    self._woken = True
                    self._state.notify_all()

    def _run(self, claim: Claim) -> None:
        started = time.monotonic()
        verdict = run(claim, self._drivers, self._resolver)
        self._observer.stepped(claim, verdict, time.monotonic() - started)
        log.info(
            "execution %s (%s, attempt %d): %s %s",
            claim.execution.id,
            claim.execution.driver,
            claim.attempt,
            verdict.state,
            verdict.message,
        )
        for attempt in range(1, RECORD_TRIES + 1):
            try:
                return self._store.claims.record(claim, verdict)
            except Fenced as exc:
                return log.warning("%s", exc)
            except WebhookServiceError as exc:
                # The lease runs out if this keeps failing, and another attempt repeats the step.
                log.warning("Recording %s failed (%d): %s", claim.execution.id, attempt, exc)
                time.sleep(attempt)

    def _keep_leases(self) -> None:
        """Renew the leases of what runs, and take back what other workers lost."""
        interval = self._store.claims.lease.total_seconds() / 3
        while not self._stopped_within(0.0):
            with self._state:
                running = list(self._running.values())
            try:
                if running:
                    self._store.claims.renew(running)
                if lost := self._store.claims.sweep():
                    self._observer.lost(lost)
                    self.wake()
            except Exception as exc:
                log.warning("Renewing leases failed, trying again: %s", exc)
            self._stopped_within(interval)

    def _stopped_within(self, seconds: float) -> bool:
        with self._state:
            return self._state.wait_for(lambda: self._stopping, seconds)
