"""The log of deliveries as people look at it: each call with what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import Execution

LOG_PAGE = 50
LOG_WINDOW = 10_000
"""How many calls one search looks at; the next page goes on where it ended."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which part of the log.

    Attributes:
        text: part of an image, a tag or a digest; or the whole id of a delivery or an execution.
        receiver, state, reason: those of the delivery; empty for all.
        marker: where the page before ended.
    """

    text: str = ""
    receiver: str = ""
    state: str = ""
    reason: str = ""
    marker: str = ""

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.receiver or self.state or self.reason)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A delivery with its executions and their replays, oldest first, without their attempts."""

    delivery: Delivery
    executions: tuple[Execution, ...]


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some entries, newest first.

    Attributes:
        next: the marker of the next page, if there may be more.
        searched: how many calls were looked at, if the search ended before the log does.
    """

    entries: tuple[LogEntry, ...]
    next: str | None = None
    searched: int | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """What tells that an execution has moved on."""

    delivery: str
    state: str
    message: str
    due: datetime | None
