"""Holds: what stops a whole project, and who said so and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

HOLD = "hld"
MAX_WHY = 1000
MAX_HOLDS = 50


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason why nothing of a project begins. Executions wait until every hold is released.

    Attributes:
        name: unique in the project, such as ``incident-42``.
        by: who holds the project.
    """

    id: str
    project: str
    name: str
    why: str
    by: str
    created: datetime
