"""Backoff: how long to wait after a transient fault, and when to give up."""

from __future__ import annotations

from random import SystemRandom

# A day and a half in all: outlasts an outage over a night, and then ends.
PAUSES = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 21600.0, 43200.0)
CRASH_RETRIES = 3


def pause_after(retries: int, at_least: float = 0.0) -> float | None:
    """Seconds to wait before the next try, with full jitter; None to give up.

    Args:
        retries: how many retries there were already.
        at_least: what the failing server asked for.
    """
    if retries >= len(PAUSES):
        return None
    return max(at_least, SystemRandom().uniform(0.0, PAUSES[retries]))
