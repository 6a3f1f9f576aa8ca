"""Inboxes: one URL for many receivers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.exchange import written
from webhook_service.resources import (
    InboxResource,
    RotateRequest,
    SimulateRequest,
    SimulationResource,
)


class AsyncInboxRequests:
    """One URL for many receivers: make, change, end, ask who would take a call."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(self, *, limit: int = 100) -> AsyncIterator[InboxResource]:
        """All inboxes, newest first."""
        return self._client.pages(InboxResource, "inboxes", limit, {})

    async def get(self, inbox: str) -> InboxResource:
        """One inbox, with those who listen to it."""
        return await self._client.get(InboxResource, "inboxes", inbox)

    async def find(self, name: str) -> InboxResource | None:
        """The inbox with this name."""
        return await self._client.named(InboxResource, "inboxes", name)

    async def etag(self, inbox: str) -> str:
        """The version of an inbox, for ``update``."""
        return await self._client.etag("inboxes", inbox)

    async def create(self, body: Mapping[str, Any]) -> InboxResource:
        """Make an inbox of its JSON: `name`, `source`, `verify`."""
        return await self._client.post(InboxResource, dict(body), "inboxes")

    async def update(
        self, inbox: str, body: Mapping[str, Any], *, etag: str | None = None
    ) -> InboxResource:
        """Change the fields that the body has.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        return await self._client.put(InboxResource, body, "inboxes", inbox, etag=etag)

    async def delete(self, inbox: str) -> None:
        """Delete an inbox to which nobody listens; its URL ends at once."""
        await self._client.delete("inboxes", inbox)

    async def rotate(self, inbox: str, *, overlap_seconds: float | None = None) -> InboxResource:
        """Give an inbox a new key; the answer has the new URL."""
        body = written(RotateRequest(overlap_seconds=overlap_seconds))
        return await self._client.post(InboxResource, body, "inboxes", inbox, "rotate")

    async def simulate(
        self, inbox: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> SimulationResource:
        """Who would do what on a call now; nothing is changed."""
        asked = written(SimulateRequest(body=body, headers=dict(headers or {})))
        return await self._client.post(SimulationResource, asked, "inboxes", inbox, "simulate")
