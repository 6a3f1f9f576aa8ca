"""Inboxes: one URL for many receivers.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webhook_service.client.exchange import written
from webhook_service.client.synchronous.channel import Channel
from webhook_service.resources import (
    InboxResource,
    RotateRequest,
    SimulateRequest,
    SimulationResource,
)


class InboxRequests:
    """One URL for many receivers: make, change, end, ask who would take a call."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(self, *, limit: int = 100) -> Iterator[InboxResource]:
        """All inboxes, newest first."""
        return self._client.pages(InboxResource, "inboxes", limit, {})

    def get(self, inbox: str) -> InboxResource:
        """One inbox, with those who listen to it."""
        return self._client.get(InboxResource, "inboxes", inbox)

    def find(self, name: str) -> InboxResource | None:
        """The inbox with this name."""
        return self._client.named(InboxResource, "inboxes", name)

    def etag(self, inbox: str) -> str:
        """The version of an inbox, for ``update``."""
        return self._client.etag("inboxes", inbox)

    def create(self, body: Mapping[str, Any]) -> InboxResource:
        """Make an inbox of its JSON: `name`, `source`, `verify`."""
        return self._client.post(InboxResource, dict(body), "inboxes")

    def update(
        self, inbox: str, body: Mapping[str, Any], *, etag: str | None = None
    ) -> InboxResource:
        """Change the fields that the body has.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        return self._client.put(InboxResource, body, "inboxes", inbox, etag=etag)

    def delete(self, inbox: str) -> None:
        """Delete an inbox to which nobody listens; its URL ends at once."""
        self._client.delete("inboxes", inbox)

    def rotate(self, inbox: str, *, overlap_seconds: float | None = None) -> InboxResource:
        """Give an inbox a new key; the answer has the new URL."""
        body = written(RotateRequest(overlap_seconds=overlap_seconds))
        return self._client.post(InboxResource, body, "inboxes", inbox, "rotate")

    def simulate(
        self, inbox: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> SimulationResource:
        """Who would do what on a call now; nothing is changed."""
        asked = written(SimulateRequest(body=body, headers=dict(headers or {})))
        return self._client.post(SimulationResource, asked, "inboxes", inbox, "simulate")
