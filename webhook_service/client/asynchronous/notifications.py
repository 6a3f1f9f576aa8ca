"""Notifications: who is told of what happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.exchange import written
from webhook_service.resources import NoRequest, NoticeResource, NotificationResource


class AsyncNotificationRequests:
    """Who is told of what happens: make, change, end, try, and what became of each notice."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(
        self, *, kind: str | None = None, limit: int = 100
    ) -> AsyncIterator[NotificationResource]:
        """All notifications, newest first, each with its newest notice."""
        return self._client.pages(NotificationResource, "notifications", limit, {"kind": kind})

    async def get(self, notification: str) -> NotificationResource:
        """One notification."""
        return await self._client.get(NotificationResource, "notifications", notification)

    async def find(self, name: str) -> NotificationResource | None:
        """The notification with this name."""
        return await self._client.named(NotificationResource, "notifications", name)

    async def etag(self, notification: str) -> str:
        """The version of a notification, for ``update``."""
        return await self._client.etag("notifications", notification)

    async def create(self, body: Mapping[str, Any]) -> NotificationResource:
        """Make a notification: `name`, `kind`, `on`, `<kind>Config`, `when`, `votes`."""
        return await self._client.post(NotificationResource, dict(body), "notifications")

    async def update(
        self, notification: str, body: Mapping[str, Any], *, etag: str | None = None
    ) -> NotificationResource:
        """Change the fields that the body has.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        return await self._client.put(
            NotificationResource, body, "notifications", notification, etag=etag
        )

    async def delete(self, notification: str) -> None:
        """End a notification; what it has not sent yet is not sent any more."""
        await self._client.delete("notifications", notification)

    async def test(self, notification: str) -> NoticeResource:
        """Send a test now."""
        body = written(NoRequest())
        return await self._client.post(NoticeResource, body, "notifications", notification, "test")

    def notices(
        self, notification: str, *, state: str | None = None, limit: int = 100
    ) -> AsyncIterator[NoticeResource]:
        """What a notification has sent or is to send, newest first."""
        path = f"notifications/{notification}/notices"
        return self._client.pages(NoticeResource, path, limit, {"state": state})

    async def notice(self, notification: str, notice: str) -> NoticeResource:
        """One notice, with its attempts."""
        return await self._client.get(
            NoticeResource, "notifications", notification, "notices", notice
        )

    async def replay(self, notification: str, notice: str) -> NoticeResource:
        """Send an ended notice once more."""
        body = written(NoRequest())
        path = ("notifications", notification, "notices", notice, "replay")
        return await self._client.post(NoticeResource, body, *path)
