"""A child of a worker: takes what a message names, and runs it under a lease that it renews."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from webhook_service.engine.attempt import ROLLOUT_SECONDS, Attempts, Resolves
from webhook_service.errors import WebhookServiceError
from webhook_service.model.execution import Claim
from webhook_service.plugins.instances import Drivers
from webhook_service.store.queue.leases import RENEWALS, TIMED_OUT
from webhook_service.store.store import Store

log = logging.getLogger(__name__)


class Child:
    """What one process needs to run executions; nothing of it is shared with another.

    Args:
        resolver: asks registries, for receivers that want it.
        step_seconds: how long a step may last; past them the process ends itself.
        rollout_seconds: for how long an execution may wait, in all.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        resolver: Resolves | None = None,
        step_seconds: float = 60.0,
        rollout_seconds: float = ROLLOUT_SECONDS,
    ) -> None:
        self._store = store
        self._claims = store.claims
        self._drivers = drivers
        self._attempts = Attempts(store.claims, drivers, resolver, rollout_seconds=rollout_seconds)
        self._step_seconds = step_seconds

    def run(self, execution: str, redelivered: bool) -> None:
        """Run an execution, or the newer one of its slot, if it may run now.

        Args:
            redelivered: the broker gave this message to a worker before, and did not hear of it.
        """
        claim = self._claims.claim_execution(execution)
        if claim is not None:
            with self._lease(claim):
                self._attempts.run(claim)
        elif redelivered:
            self._claims.doubt(execution)

    def close(self) -> None:
        """Close everything."""
        self._attempts.close()
        self._drivers.close()
        self._store.close()

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
