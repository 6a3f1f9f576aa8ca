"""Observers: whoever is told what happens. The service works the same without one."""

from __future__ import annotations

from webhook_service.delivery import Delivery
from webhook_service.execution import Claim, Verdict


class Observer:
    """Does nothing; ``metrics.Metrics`` counts. Methods are called from many threads."""

    def decided(self, delivery: Delivery, format_name: str, seconds: float) -> None:
        """A call was stored with its decision."""

    def refused(self, code: str) -> None:
        """A call was refused and not stored."""

    def stepped(self, claim: Claim, verdict: Verdict, seconds: float) -> None:
        """A driver was called once."""

    def lost(self, count: int) -> None:
        """Leases of workers that are gone were taken back."""
