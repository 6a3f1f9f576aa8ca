"""Observers: whoever is told what happens. The service works the same without one."""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import Claim, Verdict


class Observer:
    """Does nothing; ``metrics.Metrics`` counts. Methods are called from many threads."""

    def decided(self, delivery: Delivery, format_name: str, seconds: float) -> None:
        """A call was stored with its decision."""

    def refused(self, code: str) -> None:
        """A call was refused and not stored."""

    def limited(self, limit: str) -> None:
        """A call or a connection met a limit, and was refused before it was looked at."""

    def stepped(self, claim: Claim, verdict: Verdict, seconds: float) -> None:
        """A driver was called once."""

    def recorded(self, claim: Claim, verdict: Verdict) -> None:
        """What came of a step is stored for good."""

    def fenced(self, claim: Claim) -> None:
        """What came of a step is refused: its worker had lost the execution before."""

    def lost(self, count: int) -> None:
        """Leases of workers that are gone were taken back."""

    def busy(self, workers: int) -> None:
        """So many workers of this process run a driver now."""

    def abandoned(self, workers: int) -> None:
        """So many workers hang in drivers that were given up."""

    def connected(self, connections: int) -> None:
        """So many connections to this process are open now."""

    def awaited(self, callers: int) -> None:
        """So many callers wait for what comes of their call now."""


class Observers(Observer):
    """Tells several, in their order."""

    def __init__(self, *observers: Observer) -> None:
        self._all = observers

    def __iter__(self) -> Iterator[Observer]:
        return iter(self._all)

    def add(self, observer: Observer) -> None:
        """Tell one more from now on."""
        self._all += (observer,)

    def decided(self, delivery: Delivery, format_name: str, seconds: float) -> None:
        for each in self._all:
            each.decided(delivery, format_name, seconds)

    def refused(self, code: str) -> None:
        for each in self._all:
            each.refused(code)

    def limited(self, limit: str) -> None:
        for each in self._all:
            each.limited(limit)

    def stepped(self, claim: Claim, verdict: Verdict, seconds: float) -> None:
        for each in self._all:
            each.stepped(claim, verdict, seconds)

    def recorded(self, claim: Claim, verdict: Verdict) -> None:
        for each in self._all:
            each.recorded(claim, verdict)

    def fenced(self, claim: Claim) -> None:
        for each in self._all:
            each.fenced(claim)

    def lost(self, count: int) -> None:
        for each in self._all:
            each.lost(count)

    def busy(self, workers: int) -> None:
        for each in self._all:
            each.busy(workers)

    def abandoned(self, workers: int) -> None:
        for each in self._all:
            each.abandoned(workers)

    def connected(self, connections: int) -> None:
        for each in self._all:
            each.connected(connections)

    def awaited(self, callers: int) -> None:
        for each in self._all:
            each.awaited(callers)
