"""One claimed execution: prepare the push, call the driver, judge what comes back, record it.

The engine decides states, not the driver, and nothing a driver does gets past it: whatever it
returns or raises becomes a verdict that every database takes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import ValidationError

from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    Outcome,
    PushEvent,
    Unchanged,
    Wait,
    WebhookDriver,
)
from webhook_service.engine.backoff import CRASH_RETRIES, pause_after
from webhook_service.errors import (
    DriverError,
    InvalidRequest,
    Retry,
    Superseded,
    WebhookServiceError,
)
from webhook_service.failpoints import failpoint
from webhook_service.match.tags import newer_test
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.model.registry_rule import RegistryRule
from webhook_service.plugins.boundary import (
    Unstorable,
    is_for_us,
    storable_changes,
    storable_json,
    storable_seconds,
    storable_text,
)
from webhook_service.plugins.instances import Drivers
from webhook_service.store.queue.queue import Fenced, Queue
from webhook_service.telemetry.observer import Observer, Recorded, ResultRefused, Stepped

MAX_MESSAGE = 5000  # 4 KiB of a log, and what is said about it
MAX_REASON = 64
MIN_WAIT, MAX_WAIT = 0.05, 3600.0
# What a driver may ask a retry to wait for at least: a day.
MAX_RETRY = 86_400.0
RECORD_TRIES = 3
ROLLOUT_SECONDS = 86_400.0

log = logging.getLogger(__name__)


class Resolves(Protocol):
    """Whoever asks registries: ``webhook_service.registry.resolve.Resolver``."""

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with its digest, after all that the rule asks."""

    def close(self) -> None:
        """Close its connections."""


class NotNewer(Exception):
    """The target runs a tag that the pushed one is not newer than."""


class Attempts:
    """Runs claimed executions, for every engine in the same way. Shared by threads.

    Args:
        resolver: asks registries, for receivers that want it.
        observer: is told what came of each call of a driver.
        rollout_seconds: for how long an execution may wait, in all.
    """

    def __init__(
        self,
        claims: Queue,
        drivers: Drivers,
        resolver: Resolves | None = None,
        observer: Observer | None = None,
        rollout_seconds: float = ROLLOUT_SECONDS,
    ) -> None:
        self._rollout_seconds = rollout_seconds
        self._claims = claims
        self._drivers = drivers
        self._resolver = resolver
        self._observer = observer or Observer()

    def run(self, claim: Claim) -> None:
        """Call the driver once, and record what came of it."""
        failpoint("step.claimed")
        started = time.monotonic()
        verdict = judge(claim, self._drivers, self._resolver, self._claims.full_config)
        seconds = time.monotonic() - started
        verdict = bounded(claim, verdict, seconds, self._rollout_seconds)
        self._observer.tell(Stepped(claim, verdict, seconds))
        execution = claim.execution
        log.info(
            "execution %s (%s, attempt %d): %s %s",
            *(execution.id, execution.driver, claim.attempt, verdict.state, verdict.message),
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
                log.warning("Recording %s failed (%d): %s", claim.execution.id, attempt, exc)
                time.sleep(attempt)


def _as_claimed(claim: Claim) -> Mapping[str, Any]:
    return claim.config


def judge(
    claim: Claim,
    drivers: Drivers,
    resolver: Resolves | None = None,
    full_config: Callable[[Claim], Mapping[str, Any]] = _as_claimed,
) -> Verdict:
    """Call the driver once; whatever it returns or raises becomes a verdict that can be stored.

    Args:
        full_config: gives the config with its secrets.
    """
    try:
        return _storable(_told(claim, drivers, resolver, full_config))
    except Unstorable as exc:
        driver = claim.execution.driver
        log.error("What the driver %s said of %s is refused: %s.", driver, claim.execution.id, exc)
        message = f"The driver's result cannot be stored: {exc}."
        return Verdict(ExecutionState.FAILED, message, "result_unstorable")
    except BaseException as exc:
        if is_for_us(exc):
            raise
        return _crash(claim, exc)


def bounded(claim: Claim, verdict: Verdict, seconds: float, limit: float) -> Verdict:
    """The verdict, unless it is to wait on beyond the limit: no wait is endless.

    What counts is how long steps took and what waits asked for. While no worker is there, nobody
    sees whether a rollout fails, and its time stands still.

    Args:
        seconds: how long this step took.
        limit: seconds that an execution may take in all.
    """
    if verdict.state is not ExecutionState.WAITING:
        return verdict
    more = seconds + verdict.pause
    if claim.watched + more <= limit:
        return replace(verdict, watched=more)
    if verdict.settled:
        message = f"The change is complete; what was left to do did not end in {limit:g} s."
        return replace(verdict, state=ExecutionState.SUCCEEDED, message=message)
    message = (
        f"The driver still waited after {limit:g} s, the most that "
        f"WEBHOOK_SERVICE_ROLLOUT_SECONDS allows: {verdict.message or 'it did not say for what.'}"
    )
    return replace(verdict, state=ExecutionState.FAILED, message=message, reason="waited_too_long")


def _told(
    claim: Claim,
    drivers: Drivers,
    resolver: Resolves | None,
    full_config: Callable[[Claim], Mapping[str, Any]],
) -> Verdict:
    try:
        driver = drivers.get(claim.execution.driver)
        config = driver.Config.model_validate(dict(full_config(claim)))
        return _call(claim, driver, config, resolver)
    except NotNewer as exc:
        return Verdict(ExecutionState.UNCHANGED, str(exc), Reason.NOT_NEWER)
    except Superseded as exc:
        return Verdict(ExecutionState.SUPERSEDED, exc.message, exc.reason)
    except Retry as exc:
        least = storable_seconds(exc.after, 0.0, MAX_RETRY)
        return _retry(claim, exc.message, exc.reason, pause_after(claim.retries, least))
    except DriverError as exc:
        changes = exc.changes or None
        return Verdict(ExecutionState.FAILED, exc.message, exc.reason, changes)
    except WebhookServiceError as exc:
        return Verdict(ExecutionState.FAILED, exc.message, exc.code)
    except ValidationError as exc:
        problems = f"{exc.error_count()} errors"
        message = f"The receiver's config no longer fits its driver: {problems}."
        return Verdict(ExecutionState.FAILED, message, "invalid_config")


def _call(
    claim: Claim,
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    resolver: Resolves | None,
) -> Verdict:
    context = _context(claim)
    event = claim.execution.event
    if isinstance(event, PushEvent) and not context.state:
        # Once per attempt, before its first step: the event that comes out is kept with the
        # execution, so that what is followed is what was deployed.
        event = _prepare(claim, event, driver, config, context, resolver)
    verdict = _verdict_on(driver.execute(config, event, context))
    return verdict if event is claim.execution.event else replace(verdict, event=event)


def _prepare(
    claim: Claim,
    event: PushEvent,
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    context: Context,
    resolver: Resolves | None,
) -> PushEvent:
    """Is the push newer than what runs, and what is it at its registry?

    Both look at the world, which may have changed since the push was accepted; so they belong
    here and not to matching.

    Raises:
        NotNewer: the receiver's tag policy is ``newer``, and the tag is not.
        DriverError, Retry: what the registry or the driver says.
    """
    if claim.execution.rolls_back:
        return event  # it ran here before, and the way back must not depend on a registry
    if (is_newer := newer_test(claim.tags)) is not None:
        for tag in driver.running(config, event, context):
            # The same tag is the driver's to judge: it may be this very push, before a crash.
            if tag != event.tag and not is_newer(event.tag or "", tag):
                raise NotNewer(f"The target runs {tag}, and {event.tag} is not newer.")
    if claim.registry is None or resolver is None:
        return event
    return resolver.resolve(event, claim.registry)


def _context(claim: Claim) -> Context:
    execution = claim.execution
    return Context(
        project=execution.project,
        receiver=execution.receiver,
        delivery=execution.delivery,
        execution=execution.id,
        identity=execution.identity,
        order_key=execution.order_key,
        named=claim.named,
        attempt=claim.attempt,
        shared=claim.shared,
        state=execution.driver_state,
        rolls_back=execution.rolls_back or "",
    )


def _verdict_on(outcome: Outcome) -> Verdict:
    match outcome:
        case Done(changes, message):
            return Verdict(ExecutionState.SUCCEEDED, message, changes=changes or None)
        case Unchanged(reason):
            return Verdict(ExecutionState.UNCHANGED, reason)
        case Wait(after, state, message, changes, settled):
            return Verdict(
                ExecutionState.WAITING,
                message,
                changes=changes or None,
                pause=storable_seconds(after, MIN_WAIT, MAX_WAIT),
                driver_state=storable_json(state, "state"),
                settled=bool(settled),
            )
    raise TypeError(f"execute returned {type(outcome).__name__}, not Done, Unchanged or Wait")


def _storable(verdict: Verdict) -> Verdict:
    """The verdict as every database takes it.

    Raises:
        Unstorable: a part of it cannot be stored.
    """
    return replace(
        verdict,
        message=storable_text(verdict.message, MAX_MESSAGE),
        reason=verdict.reason and storable_text(verdict.reason, MAX_REASON),
        changes=None if verdict.changes is None else storable_changes(verdict.changes),
    )


def _retry(claim: Claim, message: str, reason: str, pause: float | None) -> Verdict:
    if pause is None:
        failpoint("dead_letter.before")
        message = f"Given up after {claim.retries} retries: {message}"
        return Verdict(ExecutionState.FAILED, message, reason)
    failpoint("retry.planned")
    return Verdict(
        ExecutionState.RETRYING,
        message,
        reason,
        pause=pause,
        driver_state=claim.execution.driver_state,
    )


def _crash(claim: Claim, exc: BaseException) -> Verdict:
    """A fault of the driver itself: few retries, and no text of the exception to callers."""
    log.exception("The driver %s crashed on %s.", claim.execution.driver, claim.execution.id)
    message = f"The driver crashed with {type(exc).__name__}; the service's log has the details."
    pause = pause_after(claim.retries) if claim.retries < CRASH_RETRIES else None
    return _retry(claim, message, "driver_crashed", pause)
