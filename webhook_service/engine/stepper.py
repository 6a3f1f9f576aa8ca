"""One claimed execution from its driver's call to the record of what came of it."""

from __future__ import annotations

import logging
import time

from webhook_service.engine.preparation import Resolves
from webhook_service.engine.runner import run
from webhook_service.errors import WebhookServiceError
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import Claim, Verdict
from webhook_service.plugins.drivers import Drivers
from webhook_service.store.queue.claims import ClaimStore, Fenced
from webhook_service.telemetry.observer import Observer

RECORD_TRIES = 3

log = logging.getLogger(__name__)


class Stepper:
    """Runs and records steps, for every engine in the same way. Shared by threads.

    Args:
        resolver: asks registries, for receivers that want it.
        observer: is told what came of each step.
    """

    def __init__(
        self,
        claims: ClaimStore,
        drivers: Drivers,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._claims = claims
        self._drivers = drivers
        self._resolver = resolver
        self._observer = observer or Observer()

    def step(self, claim: Claim) -> None:
        """Call the driver once, and record the verdict."""
        failpoint("step.claimed")
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
        failpoint("step.done")
        self._record(claim, verdict)

    def close(self) -> None:
        """Close the connections to registries."""
        if self._resolver is not None:
            self._resolver.close()

    def _record(self, claim: Claim, verdict: Verdict) -> None:
        for attempt in range(1, RECORD_TRIES + 1):
            try:
                self._claims.record(claim, verdict)
                return self._observer.recorded(claim, verdict)
            except Fenced as exc:
                self._observer.fenced(claim)
                return log.warning("%s", exc)
            except WebhookServiceError as exc:
                # The lease runs out if this keeps failing, and another attempt repeats the step.
                log.warning("Recording %s failed (%d): %s", claim.execution.id, attempt, exc)
                time.sleep(attempt)
