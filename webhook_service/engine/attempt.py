"""One claimed execution: let it be judged, say what came of it, record it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from webhook_service.engine.judge import STEP_SECONDS, Resolves, bounded, judge
from webhook_service.engine.wakes import Wakes
from webhook_service.errors import InvalidRequest, WebhookServiceError
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import ENDED, Claim, ExecutionState, Verdict
from webhook_service.plugins.instances import Drivers
from webhook_service.store.database.write import Write
from webhook_service.store.queue.queue import Fenced, Queue
from webhook_service.telemetry.logs import common_fields
from webhook_service.telemetry.observer import Observer, Recorded, ResultRefused, Stepped
from webhook_service.telemetry.tracing import Traced, execution_ended, span

# The first again comes at once, for an outage may be over when the turn of a result comes.
RECORD_TRIES = 4
ROLLOUT_SECONDS = 86_400.0

log = logging.getLogger(__name__)


@dataclass
class Unrecorded:
    """A step that was called, until what it came to is recorded.

    Attributes:
        write: its result on the way to the database; None if it could not even be handed over.
        wakes: ends with the record: what wakes the execution meanwhile counts after it.
    """

    claim: Claim
    verdict: Verdict
    wakes: ExitStack
    write: Write[bool] | None = None


class Attempts:
    """Runs claimed executions, for every engine in the same way. Shared by threads.

    Args:
        resolver: asks registries, for receivers that want it.
        observer: is told what came of each call of a driver.
        rollout_seconds: for how long an execution may wait, in all.
        step_seconds: for how long the engine lets one call of a driver run.
        wakes: lets drivers wake what waits; without it they wait by the clock.
    """

    def __init__(
        self,
        claims: Queue,
        drivers: Drivers,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
        rollout_seconds: float = ROLLOUT_SECONDS,
        step_seconds: float = STEP_SECONDS,
        wakes: Wakes | None = None,
    ) -> None:
        self._rollout_seconds = rollout_seconds
        self._step_seconds = step_seconds
        self._claims = claims
        self._drivers = drivers
        self._resolver = resolver
        self._observer = observer or Observer()
        self._wakes = wakes

    def run(self, claim: Claim) -> None:
        """Call the driver once, and record what came of it."""
        self.record(self.step(claim))

    def step(self, claim: Claim) -> Unrecorded:
        """Call the driver once, and begin to record what came of it."""
        fields = _fields(claim)
        attributes = {f"webhook.{name}": value for name, value in fields.items()}
        traced = span("webhook step", attributes=attributes, execution=claim.execution.id)
        with ExitStack() as until_recorded, common_fields(fields), traced as span_:
            wake = None
            if self._wakes is not None:
                wake = until_recorded.enter_context(self._wakes.step(claim.execution.id))
            verdict = self._call(claim, span_, wake)
            step = Unrecorded(claim, verdict, until_recorded.pop_all())
        with suppress(WebhookServiceError):  # ``record`` tries again
            step.write = self._claims.submit(claim, verdict)
        return step

    def _call(self, claim: Claim, step: Traced, wake: Callable[[], None] | None) -> Verdict:
        failpoint("step.claimed")
        started = time.monotonic()
        full_config = self._claims.full_config
        verdict = judge(claim, self._drivers, self._resolver, full_config, self._step_seconds, wake)
        seconds = time.monotonic() - started
        verdict = bounded(claim, verdict, seconds, self._rollout_seconds)
        self._observer.tell(Stepped(claim, verdict, seconds))
        _log(claim, verdict, seconds)
        step.set({"webhook.state": verdict.state, "webhook.reason": verdict.reason})
        if verdict.state is ExecutionState.FAILED:
            step.fail(verdict.reason or "failed")
        failpoint("step.done")
        return verdict

    def close(self) -> None:
        """Close the connections to registries."""
        if self._resolver is not None:
            self._resolver.close()

    def record(self, step: Unrecorded) -> None:
        """Wait until what a step came to is recorded, and try again if the database fails."""
        with step.wakes, common_fields(_fields(step.claim)):
            self._record(step.claim, step.verdict, step.write)

    def _record(self, claim: Claim, verdict: Verdict, write: Write[bool] | None) -> None:
        for attempt in range(RECORD_TRIES):
            if attempt > 1:
                time.sleep(attempt - 1)
            try:
                write, last = None, write
                self._claims.recorded(claim, last or self._claims.submit(claim, verdict))
                _trace_end(claim, verdict)
                return self._observer.tell(Recorded(claim, verdict))
            except Fenced as exc:
                self._observer.tell(ResultRefused(claim))
                return log.warning("%s", exc)
            except InvalidRequest as exc:
                # The boundary above should let nothing pass that a database refuses.
                log.error("The result of %s is refused: %s", claim.execution.id, exc)
                message = "The driver's result cannot be stored: the database refused it."
                verdict = Verdict(ExecutionState.FAILED, message, "result_unstorable")
            except WebhookServiceError as exc:
                # The lease runs out if this keeps failing, and another attempt repeats the step.
                log.warning("Recording %s failed (%d): %s", claim.execution.id, attempt + 1, exc)


def _fields(claim: Claim) -> dict[str, Any]:
    """What the log says of a step in fields; without a cluster it is the default one."""
    execution = claim.execution
    return {
        "project": execution.project,
        "receiver": execution.receiver,
        "delivery": execution.delivery,
        "execution": execution.id,
        "driver": execution.driver,
        "cluster": claim.config.get("cluster"),
        "attempt": claim.attempt,
    }


def _log(claim: Claim, verdict: Verdict, seconds: float) -> None:
    execution, failed = claim.execution, verdict.state is ExecutionState.FAILED
    log.log(
        logging.WARNING if failed else logging.INFO,
        "execution %s (%s, attempt %d): %s%s",
        *(execution.id, execution.driver, claim.attempt, verdict.state),
        f": {verdict.message}" if verdict.message else "",
        extra={"state": verdict.state, "reason": verdict.reason, "seconds": seconds},
    )


def _trace_end(claim: Claim, verdict: Verdict) -> None:
    """The span of the whole execution, if it has ended."""
    if verdict.state not in ENDED:
        return
    attributes = {f"webhook.{name}": value for name, value in _fields(claim).items()}
    attributes |= {"webhook.state": verdict.state, "webhook.reason": verdict.reason}
    failed = verdict.reason or "failed" if verdict.state is ExecutionState.FAILED else None
    execution_ended(claim.execution.id, claim.execution.created, attributes, failed)
