"""Capacity: how many executions an engine can take, and each project's fair share of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many executions an engine can take.

    Attributes:
        free: how many in all.
        reserved: the last so many of them are for projects that run nothing yet, so that a project
            with a long queue never keeps all others waiting.
        running: how many executions of each project it has in hand.
    """

    free: int
    reserved: int = 0
    running: Mapping[str, int] = field(default_factory=dict)

    def has_place(self, project: str, taken: Sequence[str] = ()) -> bool:
        """Whether the project may take one, after those that ``taken`` names by project."""
        free = self.free - len(taken)
        idle = not self.running.get(project) and project not in taken
        return free > self.reserved or (free > 0 and idle)

    def without(self, taken: Sequence[str]) -> Capacity:
        """What is left after one was taken for each of these projects."""
        running = Counter(self.running)
        running.update(taken)
        return Capacity(self.free - len(taken), self.reserved, running)

    def share(self, queues: Mapping[str, Sequence[T]]) -> list[T]:
        """The first one of each project's queue, then each one's second, until it is full."""
        shared: list[T] = []
        taken: list[str] = []
        for place in range(max(map(len, queues.values()), default=0)):
            for project, queue in queues.items():
                if place < len(queue) and self.has_place(project, taken):
                    shared.append(queue[place])
                    taken.append(project)
        return shared
