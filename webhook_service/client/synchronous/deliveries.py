"""Deliveries: what was called, and what was decided.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import DeliveryResource


class DeliveryRequests:
    """What was called, and what was decided."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(
        self,
        *,
        receiver: str | None = None,
        inbox: str | None = None,
        state: str | None = None,
        reason: str | None = None,
        limit: int = 100,
    ) -> Iterator[DeliveryResource]:
        """All deliveries, newest first."""
        query = {"receiver": receiver, "inbox": inbox, "state": state, "reason": reason}
        return self._client.pages(DeliveryResource, "deliveries", limit, query)

    def get(self, delivery: str) -> DeliveryResource:
        """One delivery; of a refused call with the beginning of its body."""
        return self._client.get(DeliveryResource, "deliveries", delivery)
