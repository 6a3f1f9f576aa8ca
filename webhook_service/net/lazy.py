"""Something that is made when it is first needed, and then shared by all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What holds connections."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Lazy(Generic[T]):
    """Calls ``make`` once. HTTP clients take a good part of a start, and most services need none.

    Args:
        make: imports what it needs by itself.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def close(self) -> None:
        """Close what was made; it is made anew when it is needed again."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()
