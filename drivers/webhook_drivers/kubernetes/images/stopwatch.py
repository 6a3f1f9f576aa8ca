"""How long a rollout or a Job has been watched, and when to look at it again.

Only time in which somebody looked counts: a host that was down, a cluster that did not answer or a
clock that was set has seen nothing fail, and the first look after it must not condemn a rollout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

FIRST_WAIT, LONGEST_WAIT = 0.5, 3.0
LONGEST_WATCHED_WAIT = 45.0
LOOK_AT_PODS = 10.0
"""Seconds after which people want to know why a rollout takes so long."""
LONGEST_GAP = 60.0
"""Seconds between two looks that still count as watched; no look is put off for longer."""


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """What is remembered of it between two steps.

    Args:
        started: seconds since the epoch from which its time counts.
        seen: when it was looked at last.
    """

    started: float
    seen: float

    @classmethod
    def read(cls, state: Mapping[str, Any], now: float) -> Self:
        """What the last step remembered, at the look of now; a new one if that is nothing."""
        try:
            return cls(float(state["started"]), float(state["seen"])).at(now)
        except (KeyError, TypeError, ValueError):
            return cls(now, now)

    @property
    def elapsed(self) -> float:
        """Seconds that were watched."""
        return self.seen - self.started

    @property
    def pause(self) -> float:
        """Seconds until the next look: soon at first, then less and less often."""
        return min(FIRST_WAIT + self.elapsed / 10, LONGEST_WAIT)

    @property
    def long_pause(self) -> float:
        """The same where a change has somebody look at once: only what no change says is left."""
        return min(max(LOOK_AT_PODS - self.elapsed, self.elapsed / 2), LONGEST_WATCHED_WAIT)

    def at(self, now: float) -> Self:
        """The same at another look; a clock that was set may say less than at the last one."""
        gap = now - self.seen
        missed = gap - min(max(gap, 0.0), LONGEST_GAP)
        return type(self)(self.started + missed, now)

    def as_json(self) -> Mapping[str, float]:
        return {"started": self.started, "seen": self.seen}
