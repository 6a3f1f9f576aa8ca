"""What was fetched to verify calls, kept for a while.

Strangers can make us look for keys. So at one source only one fetch is under way at a time,
a failed one is not repeated at once, and nothing that strangers name is ever kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from webhook_service.errors import IssuerUnavailable

LIFETIME = 3600.0
RENEWAL = 60.0
PAUSE = 15.0
MAX_SOURCES = 1000
MAX_ITEMS = 16

Ticks = Callable[[], float]
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T
    fetched: float


class Shelf(Generic[T]):
    """What one source has given, by name.

    Args:
        source: for the log.
        ticks: seconds that only grow.
    """

    def __init__(self, source: str, ticks: Ticks = time.monotonic) -> None:
        self._source = source
        self._ticks = ticks
        self._items: dict[str, _Item[T]] = {}
        self._failed: float | None = None
        self._lock = threading.Lock()

    def get(self, name: str, load: Callable[[], T]) -> T:
        """What is kept under a name, else what ``load`` fetches.

        Raises:
            IssuerUnavailable: ``load`` raised anything, now or a moment ago.
        """
        return self._young(name, LIFETIME, load)

    def renewed(self, name: str, load: Callable[[], T]) -> T:
        """The same, fetched again unless it was within the last minute.

        Raises:
            IssuerUnavailable: ``load`` raised anything, now or a moment ago.
        """
        return self._young(name, RENEWAL, load)

    def _young(self, name: str, age: float, load: Callable[[], T]) -> T:
        found = self._find(name, age)
        if found is None:
            with self._lock:
                found = self._find(name, age) or self._load(name, load)
        return found.value

    def _find(self, name: str, age: float) -> _Item[T] | None:
        item = self._items.get(name)
        return item if item and self._ticks() - item.fetched < age else None

    def _load(self, name: str, load: Callable[[], T]) -> _Item[T]:
        if self._failed is not None and self._ticks() - self._failed < PAUSE:
            raise _unavailable()
        try:
            item = _Item(load(), self._ticks())
        except Exception as exc:
            self._failed = self._ticks()
            log.warning("%s does not give what verifies its calls: %s", self._source, exc)
            raise _unavailable() from exc
        self._failed = None
        if len(self._items) >= MAX_ITEMS:
            self._items.clear()
        self._items[name] = item
        return item


class Shelves(Generic[T]):
    """One shelf per source; of too many, the one not used for longest goes."""

    def __init__(self, ticks: Ticks = time.monotonic) -> None:
        self._ticks = ticks
        self._shelves: OrderedDict[str, Shelf[T]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, source: str) -> Shelf[T]:
        """The shelf of a source, for all who name it the same."""
        with self._lock:
            shelf = self._shelves.setdefault(source, Shelf(source, self._ticks))
            self._shelves.move_to_end(source)
            if len(self._shelves) > MAX_SOURCES:
                self._shelves.popitem(last=False)
        return shelf


def _unavailable() -> IssuerUnavailable:
    message = "What verifies this call cannot be fetched now; nothing was stored."
    return IssuerUnavailable(message, int(PAUSE))
