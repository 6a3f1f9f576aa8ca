"""Holds of the project."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.exchange import written
from webhook_service.resources import CollectionResource, HoldRequest, HoldResource


class AsyncHoldRequests:
    """Holds of the project: while it has one, nothing begins and pushes wait."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    async def list(self) -> Sequence[HoldResource]:
        """All holds, the oldest first."""
        page = await self._client.get(CollectionResource[HoldResource], "holds")
        return page.data

    async def create(self, why: str, *, name: str = "hold") -> HoldResource:
        """Hold the project. People see why; the name is unique."""
        body = written(HoldRequest(why=why, name=name))
        return await self._client.post(HoldResource, body, "holds")

    async def release(self, hold: str) -> None:
        """End one hold, by id."""
        await self._client.delete("holds", hold)
