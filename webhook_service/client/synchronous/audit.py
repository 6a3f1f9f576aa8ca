"""The audit: who changed what.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import AuditEntryResource


class AuditRequests:
    """Who changed what."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(
        self,
        *,
        receiver: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> Iterator[AuditEntryResource]:
        """All entries, newest first.

        Args:
            since: entries at or after it; ``until``: before it. Both are aware of their zone.
        """
        query = {
            "receiver": receiver,
            "actor": actor,
            "action": action,
            "subject": subject,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
        }
        return self._client.pages(AuditEntryResource, "audit", limit, query)
