"""What a worker does when its broker fails: it goes on, or ends if only a person can help.

Celery logs a traceback for each attempt, and tries several times a second. Here each fault is one
line when it changes, and once a minute.
"""

from __future__ import annotations

import logging
import time

from amqp import exceptions as amqp
from celery.exceptions import WorkerShutdown

from webhook_service.errors import first_line
from webhook_service.telemetry.redaction import redacted

PAUSE = 1.0
REPEAT_SECONDS = 60.0
# A connection that has lasted for so long is a good one.
SETTLED = 2.0

log = logging.getLogger(__name__)


class BrokerFaults:
    """Tells what ends a connection, and when it is over."""

    def __init__(self) -> None:
        self._said = ""
        self._next = self._last = 0.0

    def outlive(self, exc: BaseException) -> None:
        """Log a fault, and wait a little.

        Raises:
            WorkerShutdown: to try again would change nothing.
        """
        text = redacted(f"{type(exc).__name__}: {first_line(exc)}")
        if remedy := remedy_for(exc):
            log.critical("The worker ends, as the broker refuses it: %s. %s", text, remedy)
            raise WorkerShutdown(1) from exc
        if text != self._said or time.monotonic() >= self._next:
            log.warning("The broker does not serve this worker, trying again: %s", text)
            self._said, self._next = text, time.monotonic() + REPEAT_SECONDS
        time.sleep(PAUSE)
        self._last = time.monotonic()

    def over(self) -> None:
        """Log that the broker serves again, unless it failed just now."""
        if self._said and time.monotonic() - self._last >= SETTLED:
            log.info("The broker serves this worker again.")
            self._said = ""


def remedy_for(exc: BaseException) -> str:
    """What a person has to do about a fault that does not end by itself; "" for the others."""
    if isinstance(exc, amqp.PreconditionFailed) and "inequivalent arg" in str(exc):
        return (
            "The queue was made with other arguments: delete it (nothing is lost with it), or set "
            "WEBHOOK_SERVICE_BROKER_QUEUE_TYPE to what it is."
        )
    if isinstance(exc, amqp.AccessRefused):
        return (
            "Look at the user and password in WEBHOOK_SERVICE_BROKER_URL, and give the user the "
            "rights to configure, write and read 'webhook-service' (docs/engines.md)."
        )
    if isinstance(exc, amqp.NotAllowed):
        return "Look at the virtual host in WEBHOOK_SERVICE_BROKER_URL, and at the user's rights."
    return ""
