"""API tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.exchange import written
from webhook_service.model.people.tokens import Role
from webhook_service.resources import TokenRequest, TokenResource


class AsyncTokenRequests:
    """API tokens; for owners."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(self, *, limit: int = 100) -> AsyncIterator[TokenResource]:
        """All tokens, newest first, revoked ones too."""
        return self._client.pages(TokenResource, "tokens", limit, {})

    async def create(
        self, role: Role, *, name: str = "", expires: datetime | None = None
    ) -> TokenResource:
        """Make a token; the answer alone has its secret, as ``token``."""
        body = written(TokenRequest(role=role, name=name, expires=expires))
        return await self._client.post(TokenResource, body, "tokens")

    async def revoke(self, token: str) -> None:
        """End a token, by id."""
        await self._client.delete("tokens", token)
