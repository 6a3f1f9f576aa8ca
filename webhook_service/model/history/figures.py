"""Figures of delivery performance: how often, how fast, how safely a project deploys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

FIGURE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Day:
    """What one day (UTC) brought: deployments that ran, those that failed, rollbacks by people."""

    day: date
    deployed: int = 0
    failed: int = 0
    rolled_back: int = 0
    lead_time: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The four figures of DORA over some days, and what was ignored.

    https://dora.dev/guides/dora-metrics-four-keys/

    Attributes:
        days: oldest first, one for each day.
        deployments: executions that succeeded and changed something.
        lead_time: the median from the push to pods that run it; None without a deployment.
        failures: deployments that failed, or that people rolled back.
        time_to_restore: the median from such a failure to the next success on its target.
        ignored: how many of the newest calls were ignored, by reason.
        slowest: the longest lead times, by execution.
        complete: false if there was more than is looked at.
    """

    days: tuple[Day, ...]
    deployments: int
    lead_time: timedelta | None
    failures: int
    time_to_restore: timedelta | None
    ignored: Mapping[str, int]
    slowest: tuple[tuple[str, str, timedelta], ...] = ()
    complete: bool = True

    @property
    def failure_rate(self) -> float | None:
        """The share of changes that failed; None without a change."""
        changes = self.deployments + self.failures
        return self.failures / changes if changes else None
