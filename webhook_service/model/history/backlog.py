"""What waits in the database, for those who watch over a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from webhook_service.model.execution import ExecutionState


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many executions have not ended, by state, and how long the oldest has been due."""

    open: Mapping[ExecutionState, int]
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True)
class Written:
    """What a writer has to do, and has done: jobs waiting, jobs committed, in so many groups."""

    waiting: int
    jobs: int
    groups: int
