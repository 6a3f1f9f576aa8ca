"""Projects: tenants of the service. None is made: a project is there once it has something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """A project, and how many receivers, live API tokens and open executions it has."""

    id: str
    receivers: int = 0
    tokens: int = 0
    open_executions: int = 0
