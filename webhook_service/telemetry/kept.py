"""Figures that take long to read, kept for a while in proportion to that."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

# What is read in less is read each time.
FREE = 0.05
# Of the time that passes, reading takes one part in so many at most.
SHARE = 20

T = TypeVar("T")


class Kept(Generic[T]):
    """A figure whose reading takes a twentieth of the time at most, however often it is asked for.

    Args:
        read: reads it.
        clock: seconds that never go back.
    """

    def __init__(self, read: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._until = -math.inf

    def get(self) -> T:
        """The figure; who asks while it is read waits for it. Raises what reading it raises."""
        with self._lock:
            begun = self._clock()
            if begun >= self._until:
                self._value = self._read()
                took = self._clock() - begun
                self._until = begun + (took * SHARE if took > FREE else 0)
            return self._value
