"""Revisions: what a receiver has deployed, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

from webhook_service.driver import PushEvent
from webhook_service.model.execution import Execution


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as people read it.

    ``live`` is the one whose image runs; a ``held`` one was rolled back, and is not deployed again
    by a replay of the same push.
    """

    execution: Execution
    live: bool
    held: bool


@dataclass(frozen=True, slots=True)
class WayBack:
    """What to deploy instead of the push ``undone``."""

    event: PushEvent
    undone: Execution
