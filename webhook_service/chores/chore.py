"""The interface of chores."""

from __future__ import annotations

from typing import Protocol

from webhook_service.store.retention import ChoreStep


class Chore(Protocol):
    """Something that is done every so many seconds, in small steps, by one host at a time."""

    @property
    def name(self) -> str:
        """Unique; names the chore in the database."""

    @property
    def every(self) -> float:
        """Seconds from one end to the next beginning."""

    def step(self, cursor: str) -> ChoreStep:
        """Do a little, from where the step before ended; "" is the beginning."""
