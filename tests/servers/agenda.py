"""Things to do at their time, by several threads."""

import heapq
import time
from itertools import count
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Agenda(Generic[Item]):
    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._numbers = count()
        self._changed = Condition()
        self._closed = False

    def add(self, item: Item, delay: float = 0) -> None:
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + delay, next(self._numbers), item))
            self._changed.notify()

    def take(self) -> Item | None:
        """Wait for the next thing that is due; None means that the agenda was closed."""
        with self._changed:
            while not self._closed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
        return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
