"""The judge: prepares a push, calls its driver for one step, and judges what comes back.

The engine decides states, not the driver, and nothing a driver does gets past it: whatever it
returns or raises becomes a verdict that every database takes.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from pydantic import ValidationError

from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    GiveWay,
    Interruption,
    Outcome,
    PushEvent,
    Request,
    Unchanged,
    Wait,
    WebhookDriver,
)
from webhook_service.engine.backoff import CRASH_RETRIES, pause_after
from webhook_service.errors import (
    DriverError,
    OutboundError,
    Retry,
    Superseded,
    WebhookServiceError,
)
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import ExpressionFailed
from webhook_service.failpoints import failpoint
from webhook_service.match.filter import compile_filter
from webhook_service.match.mirrors import parse_mirrors
from webhook_service.match.tags import newer_test
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import GIVING_WAY, Claim, ExecutionState, Verdict
from webhook_service.model.history.revision import ABORTED
from webhook_service.model.notification import is_notification
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.plugins.boundary import (
    Unstorable,
    is_for_us,
    storable_changes,
    storable_json,
    storable_seconds,
    storable_text,
)
from webhook_service.plugins.instances import Drivers
from webhook_service.plugins.loop import CancelledStep, PluginLoop

MAX_MESSAGE = 5000  # 4 KiB of a log, and what is said about it
MAX_REASON = 64
MIN_WAIT, MAX_WAIT = 0.05, 3600.0
# What a driver may ask a retry to wait for at least: a day.
MAX_RETRY = 86_400.0
STEP_SECONDS = 60.0
# An asynchronous step is cancelled after so many times as a step may take: then it was given up.
CANCEL_AFTER = 1.5

log = logging.getLogger(__name__)


class Resolves(Protocol):
    """Whoever asks registries: ``webhook_service.registry.resolve.Resolver``."""

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with its digest, after all that the rule asks."""

    def close(self) -> None:
        """Close its connections."""


class NotWanted(Exception):
    """By the receiver's rules the push changes nothing, now that the world was looked at."""

    def __init__(self, reason: Reason, message: str, event: PushEvent | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.event = event


def _as_claimed(claim: Claim) -> Mapping[str, Any]:
    return claim.config


def judge(
    claim: Claim,
    drivers: Drivers,
    resolver: Resolves | None = None,
    full_config: Callable[[Claim], Mapping[str, Any]] = _as_claimed,
    step_seconds: float = STEP_SECONDS,
    wake: Callable[[], None] | None = None,
) -> Verdict:
    """Call the driver once; whatever it returns or raises becomes a verdict that can be stored.

    Args:
        full_config: gives the config with its secrets.
        step_seconds: for how long the engine lets the driver run.
        wake: has the next step of this execution come soon.
    """
    try:
        context = _context(claim, wake)
        return _storable(_told(claim, context, drivers, resolver, full_config, step_seconds))
    except Unstorable as exc:
        driver = claim.execution.driver
        log.error("What the driver %s said of %s is refused: %s.", driver, claim.execution.id, exc)
        message = f"The driver's result cannot be stored: {exc}."
        return Verdict(ExecutionState.FAILED, message, "result_unstorable")
    except CancelledStep:
        message = "The driver did not return, and was cancelled."
        return Verdict(ExecutionState.FAILED, message, "timed_out")
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
    if verdict.settled and verdict.reason != GIVING_WAY:
        message = f"The change is complete; what was left to do did not end in {limit:g} s."
        return replace(verdict, state=ExecutionState.SUCCEEDED, message=message)
    message = (
        f"The driver still waited after {limit:g} s, the most that "
        f"WEBHOOK_SERVICE_ROLLOUT_SECONDS allows: {verdict.message or 'it did not say for what.'}"
    )
    return replace(verdict, state=ExecutionState.FAILED, message=message, reason="waited_too_long")


def _told(
    claim: Claim,
    context: Context,
    drivers: Drivers,
    resolver: Resolves | None,
    full_config: Callable[[Claim], Mapping[str, Any]],
    step_seconds: float,
) -> Verdict:
    try:
        of_notices = is_notification(claim.execution.receiver)
        driver = (drivers.kept if of_notices else drivers.get)(claim.execution.driver)
        config = driver.Config.model_validate(dict(full_config(claim)))
        return _call(claim, context, driver, config, resolver, drivers.loop, step_seconds)
    except NotWanted as exc:
        return Verdict(ExecutionState.UNCHANGED, str(exc), exc.reason, event=exc.event)
    except Superseded as exc:
        return _gave_way(claim, exc)
    except Retry as exc:
        least = storable_seconds(exc.after, 0.0, MAX_RETRY)
        return _retry(claim, exc.message, exc.reason, pause_after(claim.retries, least))
    except OutboundError as exc:
        if exc.transient:
            return _retry(claim, exc.message, exc.code, pause_after(claim.retries))
        return Verdict(ExecutionState.FAILED, exc.message, exc.code)
    except DriverError as exc:
        return _failed(exc)
    except WebhookServiceError as exc:
        return Verdict(ExecutionState.FAILED, exc.message, exc.code)
    except ValidationError as exc:
        problems = f"{exc.error_count()} errors"
        message = f"The receiver's config no longer fits its driver: {problems}."
        return Verdict(ExecutionState.FAILED, message, "invalid_config")


def _call(
    claim: Claim,
    context: Context,
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    resolver: Resolves | None,
    loop: PluginLoop,
    step_seconds: float,
) -> Verdict:
    event = claim.execution.event
    why = claim.execution.interruption
    if why is Interruption.ABORT:
        outcome = _stepped(driver, config, event, context, why, loop, step_seconds)
        return _aborted(claim, outcome)
    if isinstance(event, PushEvent) and not context.state:
        # Once per attempt, before its first step: the event that comes out is kept with the
        # execution, so that what is followed is what was deployed.
        event = _prepare(claim, event, driver, config, context, resolver)
    try:
        verdict = _verdict_on(_stepped(driver, config, event, context, why, loop, step_seconds))
    except (Retry, Superseded):
        raise
    except DriverError as exc:
        verdict = _failed(exc)
    return verdict if event is claim.execution.event else replace(verdict, event=event)


def _stepped(
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    event: PushEvent | Request,
    context: Context,
    why: Interruption | None,
    loop: PluginLoop,
    step_seconds: float,
) -> Outcome:
    """One call of the driver: a step on its way, or back."""
    outcome = (
        driver.execute(config, event, context)
        if why is None
        else driver.interrupt(config, event, context, why)
    )
    if inspect.isawaitable(outcome):
        outcome = loop.run(outcome, CANCEL_AFTER * step_seconds)
    return outcome


def _prepare(
    claim: Claim,
    event: PushEvent,
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    context: Context,
    resolver: Resolves | None,
) -> PushEvent:
    """Is the push newer than what runs, what is it at its registry, and does it pass as that?

    All of it looks at the world, which may have changed since the push was accepted; so they belong
    here and not to matching.

    Raises:
        NotWanted: the receiver's tag policy is ``newer``, and the tag is not; or its filter does
            not let the image pass.
        DriverError, Retry: what the registry or the driver says.
    """
    if claim.execution.rolls_back:
        return event  # it ran here before, and the way back must not depend on a registry
    if (is_newer := newer_test(claim.tags)) is not None:
        for tag in driver.running(config, event, context):
            # The same tag is the driver's to judge: it may be this very push, before a crash.
            if tag != event.tag and not is_newer(event.tag or "", tag):
                message = f"The target runs {tag}, and {event.tag} is not newer."
                raise NotWanted(Reason.NOT_NEWER, message)
    if claim.registry is None or resolver is None:
        return event
    event = resolver.resolve(event, claim.registry)
    _filter_image(claim, event)
    return event


def _filter_image(claim: Claim, event: PushEvent) -> None:
    """Let a filter decide that asks what the image says of itself."""
    when = None if claim.when is None else compile_filter(claim.when)
    if when is None or not when.asks_image:
        return
    if event.facts is None:
        raise Retry(
            f"match.when: what {event.image} says of itself cannot be read at its registry now.",
            code="registry_unavailable",
        )
    try:
        if not when.passes(event, new_meter()):
            message = "match.when does not let the image pass, by what it says of itself."
            raise NotWanted(Reason.FILTERED, message, event)
    except ExpressionFailed as exc:
        raise DriverError(f"match.when: {exc}", code=Reason.FILTER_ERROR) from exc


def _context(claim: Claim, wake: Callable[[], None] | None) -> Context:
    execution = claim.execution
    return Context(
        project=execution.project,
        receiver=execution.receiver,
        delivery=execution.delivery,
        execution=execution.id,
        identity=execution.identity,
        order_key=execution.order_key,
        named=claim.named,
        mirrors=parse_mirrors(claim.mirrors),
        attempt=claim.attempt,
        shared=claim.shared,
        state=execution.driver_state,
        rolls_back=execution.rolls_back or "",
        back_to=execution.back_to,
        wake=wake,
    )


def _verdict_on(outcome: Outcome) -> Verdict:
    match outcome:
        case Done(changes, message):
            return Verdict(ExecutionState.SUCCEEDED, message, changes=changes or None)
        case Unchanged(reason):
            return Verdict(ExecutionState.UNCHANGED, reason)
        case GiveWay(after, state, message, changes):
            waiting = _verdict_on(Wait(after, state, message, changes, settled=True))
            return replace(waiting, reason=GIVING_WAY)
        case Wait(after, state, message, changes, settled):
            return Verdict(
                ExecutionState.WAITING,
                message,
                changes=changes or None,
                pause=storable_seconds(after, MIN_WAIT, MAX_WAIT),
                driver_state=storable_json(state, "state"),
                settled=bool(settled),
            )
    allowed = "Done, Unchanged, Wait or GiveWay"
    raise TypeError(f"a step returned {type(outcome).__name__}, not {allowed}")


def _failed(exc: DriverError) -> Verdict:
    return Verdict(ExecutionState.FAILED, exc.message, exc.reason, exc.changes or None)


def _aborted(claim: Claim, outcome: Outcome) -> Verdict:
    """What came of a step back, at the wish of people."""
    verdict, by = _verdict_on(outcome), claim.execution.interrupted_by
    if verdict.state is ExecutionState.WAITING:
        return replace(verdict, settled=False, reason=None)
    message = f"Aborted by {by}. {verdict.message}".rstrip()
    return replace(verdict, state=ExecutionState.CANCELLED, message=message, reason=ABORTED)


def _gave_way(claim: Claim, exc: Superseded) -> Verdict:
    """The end of what is superseded: one that only tidied up has done its work."""
    if claim.settled:
        message = f"Complete; a newer push took over its tidying up: {exc.message}"
        return Verdict(ExecutionState.SUCCEEDED, message)
    newer = claim.execution.interruption in (Interruption.NEWER, Interruption.ROLLBACK)
    by = claim.execution.interrupted_by if newer else None
    return Verdict(ExecutionState.SUPERSEDED, exc.message, exc.reason, superseded_by=by)


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
