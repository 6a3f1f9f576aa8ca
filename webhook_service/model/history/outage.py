"""Outages: what waits for a server that does not answer, for those who ask why nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """What of one receiver waits for its target to answer again.

    Attributes:
        waiting: how many executions do.
        since: when the first of them got no answer.
        next_try: when the next of them is tried; None if one is being tried now. What looks whether
            the target answers may be faster.
        said: the last words of the fault.
    """

    receiver: str
    waiting: int
    since: datetime
    next_try: datetime | None
    said: str
