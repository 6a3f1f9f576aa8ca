"""Deliveries: what was called, and what was decided."""

from __future__ import annotations

from collections.abc import AsyncIterator

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.resources import DeliveryResource


class AsyncDeliveryRequests:
    """What was called, and what was decided."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(
        self,
        *,
        receiver: str | None = None,
        inbox: str | None = None,
        state: str | None = None,
        reason: str | None = None,
        limit: int = 100,
    ) -> AsyncIterator[DeliveryResource]:
        """All deliveries, newest first."""
        query = {"receiver": receiver, "inbox": inbox, "state": state, "reason": reason}
        return self._client.pages(DeliveryResource, "deliveries", limit, query)

    async def get(self, delivery: str) -> DeliveryResource:
        """One delivery; of a refused call with the beginning of its body."""
        return await self._client.get(DeliveryResource, "deliveries", delivery)
