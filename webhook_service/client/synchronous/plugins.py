"""Drivers, formats and schemes.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import (
    CollectionResource,
    DriverResource,
    FormatResource,
    SchemeResource,
)


class PluginRequests:
    """What is installed."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def drivers(self) -> tuple[DriverResource, ...]:
        """All drivers, by name, with the JSON Schemas of their configs."""
        return tuple((self._client.get(CollectionResource[DriverResource], "drivers")).data)

    def formats(self) -> tuple[FormatResource, ...]:
        """All payload formats, by name."""
        return tuple((self._client.get(CollectionResource[FormatResource], "formats")).data)

    def schemes(self) -> tuple[SchemeResource, ...]:
        """All verification schemes, by name."""
        return tuple((self._client.get(CollectionResource[SchemeResource], "schemes")).data)
