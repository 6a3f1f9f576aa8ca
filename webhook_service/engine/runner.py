"""One attempt: hand a claimed execution to its driver and judge what comes back.

The runner decides states, not the driver, and nothing a driver does gets past it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from webhook_service.driver import (
    Context,
    Done,
    Outcome,
    PushEvent,
    Unchanged,
    Wait,
    WebhookDriver,
)
from webhook_service.engine.backoff import CRASH_RETRIES, pause_after
from webhook_service.engine.preparation import NotNewer, Resolves, prepare
from webhook_service.errors import DriverError, Retry, Superseded, WebhookServiceError
from webhook_service.failpoints import failpoint
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.plugins.drivers import Drivers

MAX_MESSAGE = 5000  # 4 KiB of a log, and what is said about it
MIN_WAIT, MAX_WAIT = 0.05, 3600.0

log = logging.getLogger(__name__)


def run(claim: Claim, drivers: Drivers, resolver: Resolves | None = None) -> Verdict:
    """Call the driver once; every error becomes a verdict.

    Args:
        resolver: asks registries, for receivers that want it.
    """
    try:
        return _step(claim, drivers.get(claim.execution.driver), resolver)
    except NotNewer as exc:
        return Verdict(ExecutionState.UNCHANGED, str(exc), exc.reason)
    except Superseded as exc:
        return Verdict(ExecutionState.SUPERSEDED, exc.message, exc.reason)
    except Retry as exc:
        return _retry(claim, exc.message, exc.reason, pause_after(claim.retries, exc.after))
    except DriverError as exc:
        changes = exc.changes or None
        return Verdict(ExecutionState.FAILED, _told(exc.message), exc.reason, changes)
    except WebhookServiceError as exc:
        return Verdict(ExecutionState.FAILED, _told(exc.message), exc.code)
    except ValidationError as exc:
        message = f"The receiver's config no longer fits its driver: {exc.error_count()} errors."
        return Verdict(ExecutionState.FAILED, message, "invalid_config")
    except Exception as exc:
        return _crash(claim, exc)


def _step(claim: Claim, driver: WebhookDriver[Any, Any], resolver: Resolves | None) -> Verdict:
    config, context = driver.Config.model_validate(dict(claim.config)), _context(claim)
    event = claim.execution.event
    if isinstance(event, PushEvent) and not context.state:
        event = prepare(claim, event, driver, config, context, resolver)
    verdict = _judge(driver.execute(config, event, context))
    return verdict if event is claim.execution.event else replace(verdict, event=event)


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
        state=execution.driver_state,
        rolls_back=execution.rolls_back or "",
    )


def _judge(outcome: Outcome) -> Verdict:
    match outcome:
        case Done(changes, message):
            return Verdict(ExecutionState.SUCCEEDED, _told(message), changes=changes or None)
        case Unchanged(reason):
            return Verdict(ExecutionState.UNCHANGED, _told(reason))
        case Wait(after, state, message, changes, settled):
            return Verdict(
                ExecutionState.WAITING,
                _told(message),
                changes=changes or None,
                pause=min(max(after, MIN_WAIT), MAX_WAIT),
                driver_state=_stored(state),
                settled=settled,
            )
    raise TypeError(f"execute returned {type(outcome).__name__}, not Done, Unchanged or Wait")


def _told(message: str) -> str:
    """As much of a driver's message as every database takes."""
    return message.replace("\0", "")[:MAX_MESSAGE]


def _stored(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What comes back of a driver's state.

    Raises:
        TypeError, ValueError: it is no JSON.
    """
    stored: Mapping[str, Any] = json.loads(json.dumps(dict(state), allow_nan=False))
    return stored


def _retry(claim: Claim, message: str, reason: str, pause: float | None) -> Verdict:
    if pause is None:
        failpoint("dead_letter.before")
        message = f"Given up after {claim.retries} retries: {message}"
        return Verdict(ExecutionState.FAILED, _told(message), reason)
    failpoint("retry.planned")
    return Verdict(
        ExecutionState.RETRYING,
        _told(message),
        reason,
        pause=pause,
        driver_state=claim.execution.driver_state,
    )


def _crash(claim: Claim, exc: Exception) -> Verdict:
    """A fault of the driver itself: few retries, and no text of the exception to callers."""
    log.exception("The driver %s crashed on %s.", claim.execution.driver, claim.execution.id)
    message = f"The driver crashed with {type(exc).__name__}; the service's log has the details."
    pause = pause_after(claim.retries) if claim.retries < CRASH_RETRIES else None
    return _retry(claim, message, "driver_crashed", pause)
