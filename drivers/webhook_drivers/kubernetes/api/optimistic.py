"""Writes under a precondition: read, decide, write, and begin anew when another was faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_service import Retry

MAX_CONFLICTS = 5
T = TypeVar("T")


def optimistically(target: object, step: Callable[[], T]) -> T:
    """Do a step that reads before it writes, again after each ``Conflict``.

    Raises:
        Retry: it met a conflict five times.
    """
    for _ in range(MAX_CONFLICTS):
        try:
            return step()
        except Conflict:
            continue
    raise Retry(f"{target} was changed by others {MAX_CONFLICTS} times meanwhile.")
