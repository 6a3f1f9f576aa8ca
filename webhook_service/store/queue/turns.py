"""Turns: projects take from an engine's room one after the other, and none takes all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Room:
    """How many executions an engine can take.

    Attributes:
        free: how many in all.
        reserved: the last so many of them are for projects that run nothing yet.
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


def deal(queues: Mapping[str, Sequence[T]], room: Room) -> list[T]:
    """Give each project's first one in turn, then each one's second, until the room is full."""
    dealt: list[T] = []
    taken: list[str] = []
    for place in range(max(map(len, queues.values()), default=0)):
        for project, queue in queues.items():
            if place < len(queue) and room.has_place(project, taken):
                dealt.append(queue[place])
                taken.append(project)
    return dealt
