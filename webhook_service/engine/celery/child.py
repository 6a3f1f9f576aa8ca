"""A child of a worker: takes what a message names, and runs it under a lease that it renews."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from webhook_service.engine.attempt import ROLLOUT_SECONDS, Attempts
from webhook_service.engine.judge import Resolves
from webhook_service.errors import WebhookServiceError
from webhook_service.model.execution import Claim
from webhook_service.plugins.instances import Drivers
from webhook_service.store.queue.leases import RENEWALS, TIMED_OUT
from webhook_service.store.store import Store
from webhook_service.telemetry.observer import Observer, WorkersBusy

# Of what could not be claimed, one in so many seconds is looked up.
LOOK_SECONDS = 5.0
TOLD_SECONDS = 3600.0

log = logging.getLogger(__name__)


class Child:
    """What one process needs to run executions; nothing of it is shared with another.

    Args:
        resolver: asks registries, for receivers that want it.
        observer: is told what comes of each step.
        step_seconds: how long a step may last; past them the process ends itself.
        rollout_seconds: for how long an execution may wait, in all.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
        step_seconds: float = 60.0,
        rollout_seconds: float = ROLLOUT_SECONDS,
    ) -> None:
        self._store = store
        self._claims = store.claims
        self._drivers = drivers
        self._observer = observer or Observer()
        self._attempts = Attempts(
            store.claims,
            drivers,
            resolver,
            self._observer,
            rollout_seconds=rollout_seconds,
            step_seconds=step_seconds,
        )
        self._step_seconds = step_seconds
        self._next_look = 0.0

    def run(self, execution: str, redelivered: bool) -> None:
        """Run an execution, or the newer one of its slot, if it may run now.

        Args:
            redelivered: the broker gave this message to a worker before, and did not hear of it.
        """
        claim = self._claims.claim_execution(execution)
        if claim is not None:
            with self._lease(claim), self._busy():
                self._attempts.run(claim)
            return
        if redelivered:
            self._claims.doubt(execution)
        self._look_whose(execution)

    def _look_whose(self, execution: str) -> None:
        """Tell, now and then, that another deployment's messages come in."""
        if (now := time.monotonic()) < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if self._store.executions.has(execution):
            return
        self._next_look = now + TOLD_SECONDS
        log.warning(
            "The broker brings executions that this database does not have, such as %s: another "
            "deployment uses the same queue, and each takes the other's messages. Give each a "
            "virtual host (RabbitMQ) or a database number (Redis) of its own.",
            execution,
        )

    def close(self) -> None:
        """Close everything."""
        self._attempts.close()
        self._drivers.close()
        self._store.close()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._observer.tell(WorkersBusy(1))
        try:
            yield
        finally:
            self._observer.tell(WorkersBusy(0))

    @contextmanager
    def _lease(self, claim: Claim) -> Iterator[None]:
        """Renew the lease meanwhile."""
        done = threading.Event()
        thread = threading.Thread(target=self._keep, args=(claim, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _keep(self, claim: Claim, done: threading.Event) -> None:
        """Renew the lease of a step until it is done, or has taken too long."""
        interval = self._claims.lease.total_seconds() / RENEWALS
        deadline = time.monotonic() + self._step_seconds
        while not done.wait(min(interval, max(0.0, deadline - time.monotonic()))):
            try:
                if time.monotonic() >= deadline:
                    self._end(claim)
                self._claims.renew([claim])
            except WebhookServiceError as exc:
                log.warning("Renewing the lease of %s failed: %s", claim.execution.id, exc)

    def _end(self, claim: Claim) -> None:
        """Give up a step that hangs, and end this process: nothing else ends a thread for sure."""
        message = f"The driver did not return in {self._step_seconds:g} s"
        log.error("Execution %s: %s; its process ends.", claim.execution.id, message)
        try:
            self._claims.give_up([claim], message, TIMED_OUT)
        finally:
            os._exit(1)
