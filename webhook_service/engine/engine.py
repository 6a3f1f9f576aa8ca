"""The interface of engines: who runs the executions that the store holds."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Engine(ABC):
    """Runs due executions. The store is the truth; an engine may die at any point."""

    @abstractmethod
    def start(self) -> None:
        """Begin to run executions."""

    @abstractmethod
    def wake(self) -> None:
        """Look for work now: something was accepted."""

    @abstractmethod
    def stop(self, timeout: float = 10.0) -> None:
        """Take no new work, and wait up to ``timeout`` seconds for what runs."""
