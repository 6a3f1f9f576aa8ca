"""The chore that brings SQLite's log into its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webhook_service.store.backup.sqlite_copy import checkpoint
from webhook_service.store.retention import ChoreStep

TEN_MINUTES = 600.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Lets a copy of the file alone be at most so old; backups are better."""

    file: Path
    name: str = "checkpoint"
    every: float = TEN_MINUTES

    def step(self, cursor: str) -> ChoreStep:
        checkpoint(self.file)
        return ChoreStep("", True, 0)
