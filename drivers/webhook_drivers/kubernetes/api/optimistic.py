"""Writes under a precondition: read, decide, write, and begin anew when another was faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_service import Retry

PAUSES = (0.02, 0.1, 0.4, 1.0)
"""Seconds after each conflict: a controller at work writes the status several times a second."""
T = TypeVar("T")


def optimistically(target: object, step: Callable[[], T]) -> T:
    """Do a step that reads before it writes, again after each ``Conflict`` and a pause.

    Raises:
        Retry: it met a conflict five times.
    """
    for pause in PAUSES:
        try:
            return step()
        except Conflict:
            # Not in step with another writer who waits as well.
            time.sleep(pause * random.uniform(0.5, 1))
    try:
        return step()
    except Conflict:
        raise Retry(f"{target} was changed by others {len(PAUSES) + 1} times meanwhile.") from None
