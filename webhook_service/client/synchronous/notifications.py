"""Notifications: who is told of what happens.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webhook_service.client.exchange import written
from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import NoRequest, NoticeResource, NotificationResource


class NotificationRequests:
    """Who is told of what happens: make, change, end, try, and what became of each notice."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(self, *, kind: str | None = None, limit: int = 100) -> Iterator[NotificationResource]:
        """All notifications, newest first, each with its newest notice."""
        return self._client.pages(NotificationResource, "notifications", limit, {"kind": kind})

    def get(self, notification: str) -> NotificationResource:
        """One notification."""
        return self._client.get(NotificationResource, "notifications", notification)

    def find(self, name: str) -> NotificationResource | None:
        """The notification with this name."""
        return self._client.named(NotificationResource, "notifications", name)

    def etag(self, notification: str) -> str:
        """The version of a notification, for ``update``."""
        return self._client.etag("notifications", notification)

    def create(self, body: Mapping[str, Any]) -> NotificationResource:
        """Make a notification: `name`, `kind`, `on`, `<kind>Config`, `when`, `votes`."""
        return self._client.post(NotificationResource, dict(body), "notifications")

    def update(
        self, notification: str, body: Mapping[str, Any], *, etag: str | None = None
    ) -> NotificationResource:
        """Change the fields that the body has.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        return self._client.put(
            NotificationResource, body, "notifications", notification, etag=etag
        )

    def delete(self, notification: str) -> None:
        """End a notification; what it has not sent yet is not sent any more."""
        self._client.delete("notifications", notification)

    def test(self, notification: str) -> NoticeResource:
        """Send a test now."""
        body = written(NoRequest())
        return self._client.post(NoticeResource, body, "notifications", notification, "test")

    def notices(
        self, notification: str, *, state: str | None = None, limit: int = 100
    ) -> Iterator[NoticeResource]:
        """What a notification has sent or is to send, newest first."""
        path = f"notifications/{notification}/notices"
        return self._client.pages(NoticeResource, path, limit, {"state": state})

    def notice(self, notification: str, notice: str) -> NoticeResource:
        """One notice, with its attempts."""
        return self._client.get(NoticeResource, "notifications", notification, "notices", notice)

    def replay(self, notification: str, notice: str) -> NoticeResource:
        """Send an ended notice once more."""
        body = written(NoRequest())
        path = ("notifications", notification, "notices", notice, "replay")
        return self._client.post(NoticeResource, body, *path)
