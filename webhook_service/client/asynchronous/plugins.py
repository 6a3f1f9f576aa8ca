"""Drivers, formats and schemes."""

from __future__ import annotations

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.resources import (
    CollectionResource,
    DriverResource,
    FormatResource,
    SchemeResource,
)


class AsyncPluginRequests:
    """What is installed."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    async def drivers(self) -> tuple[DriverResource, ...]:
        """All drivers, by name, with the JSON Schemas of their configs."""
        return tuple((await self._client.get(CollectionResource[DriverResource], "drivers")).data)

    async def formats(self) -> tuple[FormatResource, ...]:
        """All payload formats, by name."""
        return tuple((await self._client.get(CollectionResource[FormatResource], "formats")).data)

    async def schemes(self) -> tuple[SchemeResource, ...]:
        """All verification schemes, by name."""
        return tuple((await self._client.get(CollectionResource[SchemeResource], "schemes")).data)
