"""Holds of the project.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Sequence

from webhook_service.client.exchange import written
from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import CollectionResource, HoldRequest, HoldResource


class HoldRequests:
    """Holds of the project: while it has one, nothing begins and pushes wait."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(self) -> Sequence[HoldResource]:
        """All holds, the oldest first."""
        page = self._client.get(CollectionResource[HoldResource], "holds")
        return page.data

    def create(self, why: str, *, name: str = "hold") -> HoldResource:
        """Hold the project. People see why; the name is unique."""
        body = written(HoldRequest(why=why, name=name))
        return self._client.post(HoldResource, body, "holds")

    def release(self, hold: str) -> None:
        """End one hold, by id."""
        self._client.delete("holds", hold)
