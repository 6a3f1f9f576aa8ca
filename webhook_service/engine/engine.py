"""The interface of engines: who runs the executions that the store holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Engine(ABC):
    """Runs due executions. The store is the truth; an engine may die at any point."""

    @abstractmethod
    def start(self) -> None:
        """Begin to run executions."""

    @abstractmethod
    def wake(self, executions: Sequence[str] = ()) -> None:
        """Look for work now; must not wait, for senders wait for its caller.

        Args:
            executions: what was just accepted, as far as it is known.
        """

    @property
    def is_stuck(self) -> bool:
        """Whether this process should be started again, for its drivers do not return."""
        return False

    @abstractmethod
    def stop(self, timeout: float = 10.0) -> None:
        """Take no new work, and wait up to ``timeout`` seconds for what runs."""
