"""Revisions: what a receiver has deployed, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from webhook_service.driver import Observed, PushEvent
from webhook_service.model.execution import Execution

BY_HAND = "by-hand"
"""What a rollback names as undone where no push had done it."""
ROLLED_BACK = "rolled_back"
"""The reason of executions that failed and undid all that they had changed."""

ABORTED = "aborted"
"""The reason of executions that people stopped before their end."""
WITHDRAWN = "withdrawn"
"""The reason of executions that were taken back for a newer one."""
TAKEN_BACK = frozenset({ROLLED_BACK, ABORTED, WITHDRAWN})
"""The reasons of executions whose target runs again what it ran before."""


class Standing(StrEnum):
    """How the revision that should run compares with what runs."""

    LIVE = "live"
    ROLLING = "rolling"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a target; ``found`` is None where nobody knows, and ``why`` says why."""

    found: tuple[Observed, ...] | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision as people read it: an execution that changed its target.

    Attributes:
        live: whether its image runs now.
        held: whether it was rolled back. A replay of the same push does not deploy it again.
        standing: how the revision that should run compares with what runs; None for all others.
        note: what runs instead, and who set it.
    """

    execution: Execution
    live: bool
    held: bool
    standing: Standing | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class WayBack:
    """What to deploy instead of what runs.

    Attributes:
        undone: the push that runs, or the newest one where something else runs.
        rolls_back: the identity of what is undone, or ``by-hand``.
        images: the image of each target that is to change, where it is not the event's for all.
    """

    event: PushEvent
    undone: Execution
    rolls_back: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
