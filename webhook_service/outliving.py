"""Loops that must outlast the faults of one turn, without hiding them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger

from webhook_service.errors import WebhookServiceError


@contextmanager
def outlive(log: Logger, duty: str) -> Iterator[None]:
    """Log what ends the block, and go on behind it: the loop around it tries again.

    An error of the service is a sentence in the log; any other one is a fault of the code, and is
    logged with its traceback.

    Args:
        duty: what failed if the block did, to begin a sentence with.
    """
    try:
        yield
    except WebhookServiceError as exc:
        log.warning("%s failed, trying again: %s", duty, exc)
    except Exception:
        log.exception("%s failed, trying again.", duty)
