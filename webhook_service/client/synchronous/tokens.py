"""API tokens.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from webhook_service.client.exchange import written
from webhook_service.client.synchronous.channel import Channel
from webhook_service.model.people.tokens import Role
from webhook_service.resources import TokenRequest, TokenResource


class TokenRequests:
    """API tokens; for owners."""

    def __init__(self, client: Channel) -> None:
        self._client = client

    def list(self, *, limit: int = 100) -> Iterator[TokenResource]:
        """All tokens, newest first, revoked ones too."""
        return self._client.pages(TokenResource, "tokens", limit, {})

    def create(
        self, role: Role, *, name: str = "", expires: datetime | None = None
    ) -> TokenResource:
        """Make a token; the answer alone has its secret, as ``token``."""
        body = written(TokenRequest(role=role, name=name, expires=expires))
        return self._client.post(TokenResource, body, "tokens")

    def revoke(self, token: str) -> None:
        """End a token, by id."""
        self._client.delete("tokens", token)
