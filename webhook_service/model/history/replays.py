"""Replays of many executions: which ones, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhook_service.errors import InvalidRequest
from webhook_service.model.execution import ENDED, ExecutionState

MAX_REPLAYS = 1000


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """Which ended executions to replay: those that ended from ``since`` up to ``until``.

    ``limit`` is for one call; an execution that was replayed already is never meant.
    """

    receiver: str | None = None
    state: ExecutionState = ExecutionState.FAILED
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = MAX_REPLAYS

    def __post_init__(self) -> None:
        if self.state not in ENDED:
            raise InvalidRequest(f"state must be one that has ended: {', '.join(ENDED)}.")
        if not 1 <= self.limit <= MAX_REPLAYS:
            raise InvalidRequest(f"limit must be between 1 and {MAX_REPLAYS}.")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was replayed (or would be), oldest first; ``executions`` are the new ones' ids."""

    replayed: tuple[str, ...]
    executions: tuple[str, ...]
    remaining: int
