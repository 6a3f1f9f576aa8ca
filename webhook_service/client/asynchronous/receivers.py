"""Receivers, their history and the way back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.exchange import Sent, path_to, read, written
from webhook_service.resources import (
    AppliedResource,
    CollectionResource,
    ExecutionResource,
    ReceiverResource,
    RevisionResource,
    RollbackRequest,
    RotateRequest,
    SimulateRequest,
    SimulationResource,
)


class AsyncReceiverRequests:
    """Receivers, their history and the way back."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(
        self, *, driver: str | None = None, state: str | None = None, limit: int = 100
    ) -> AsyncIterator[ReceiverResource]:
        """All receivers, newest first."""
        query = {"driver": driver, "state": state}
        return self._client.pages(ReceiverResource, "receivers", limit, query)

    async def get(self, receiver: str) -> ReceiverResource:
        """One receiver, by id."""
        return await self._client.get(ReceiverResource, "receivers", receiver)

    async def find(self, name: str) -> ReceiverResource | None:
        """The receiver with this name."""
        return await self._client.named(ReceiverResource, "receivers", name)

    async def etag(self, receiver: str) -> str:
        """The version of a receiver, for ``update``."""
        return await self._client.etag("receivers", receiver)

    async def create(self, body: Mapping[str, Any]) -> ReceiverResource:
        """Make a receiver of its JSON: ``name``, ``driver``, ``<driver>Config``, …"""
        return await self._client.post(ReceiverResource, dict(body), "receivers")

    async def update(
        self, receiver: str, body: Mapping[str, Any], *, etag: str | None = None
    ) -> ReceiverResource:
        """Change the fields that the body has.

        Args:
            etag: the version that the change is made for; any if left out.
        """
        return await self._client.put(ReceiverResource, body, "receivers", receiver, etag=etag)

    async def apply(
        self,
        body: Mapping[str, Any],
        *,
        version: int | None = None,
        dry_run: bool = False,
        alongside: str | None = None,
    ) -> AppliedResource:
        """Let the receiver of the body's name be as the body says, and not more.

        Args:
            version: the one that it must be at, as a dry run told; 0 if it must not be there yet.
            dry_run: only say what would become of it.
            alongside: of a dry run, another receiver that will be there by then, by name.
        """
        query = {"dryRun": "true"} if dry_run else {}
        if alongside is not None:
            query["alongside"] = alongside
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        if version == 0:
            headers = {"If-None-Match": "*"}
        # Sent twice with a version, the second is refused because the first was carried out.
        repeatable = dry_run or version is None
        path = path_to("receivers", "apply")
        sent = Sent("POST", path, query, dict(body), headers, repeatable=repeatable)
        return read(await self._client.send(sent), AppliedResource)

    async def delete(self, receiver: str) -> None:
        """Delete a receiver; its URL ends at once."""
        await self._client.delete("receivers", receiver)

    async def rotate(
        self, receiver: str, *, overlap_seconds: float | None = None
    ) -> ReceiverResource:
        """Give a receiver a new key; the answer has the new URL."""
        body = written(RotateRequest(overlap_seconds=overlap_seconds))
        return await self._client.post(ReceiverResource, body, "receivers", receiver, "rotate")

    async def simulate(
        self, receiver: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> SimulationResource:
        """What a call would do now; nothing is changed."""
        asked = written(SimulateRequest(body=body, headers=dict(headers or {})))
        return await self._client.post(SimulationResource, asked, "receivers", receiver, "simulate")

    async def history(self, receiver: str) -> tuple[RevisionResource, ...]:
        """What a receiver has deployed, newest first."""
        model = CollectionResource[RevisionResource]
        return tuple((await self._client.get(model, "receivers", receiver, "history")).data)

    async def roll_back(
        self, receiver: str, *, to: str | None = None, repository: str | None = None
    ) -> ExecutionResource:
        """Deploy what ran before.

        Args:
            to: a revision's id or image; what ran before if left out.
            repository: which image, if the receiver deploys several.
        """
        body = written(RollbackRequest(to=to, repository=repository))
        return await self._client.post(ExecutionResource, body, "receivers", receiver, "rollback")
