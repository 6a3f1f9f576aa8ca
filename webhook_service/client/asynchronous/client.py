"""The client as programs open it."""

from __future__ import annotations

from ssl import SSLContext
from typing import Any

import httpx

from webhook_service.client.asynchronous.audit import AsyncAuditRequests
from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.asynchronous.deliveries import AsyncDeliveryRequests
from webhook_service.client.asynchronous.executions import AsyncExecutionRequests
from webhook_service.client.asynchronous.holds import AsyncHoldRequests
from webhook_service.client.asynchronous.inboxes import AsyncInboxRequests
from webhook_service.client.asynchronous.notifications import AsyncNotificationRequests
from webhook_service.client.asynchronous.plugins import AsyncPluginRequests
from webhook_service.client.asynchronous.receivers import AsyncReceiverRequests
from webhook_service.client.asynchronous.tokens import AsyncTokenRequests
from webhook_service.client.exchange import Retries, Sent, path_to, require_success
from webhook_service.resources import CollectionResource, ProjectResource


class AsyncClient(AsyncChannel):
    """The management API of one service.

    ``async with AsyncClient(url, token) as client``; each group of requests is an attribute:
    ``await client.executions.wait(id)``.

    Args:
        url: of the service: scheme, host, and the path that it is mounted at.
        token: an API token; None where a proxy authenticates.
        project: the one to act in; with a token its own by default.
        timeout: seconds that one try may take.
        retries: how often to send a request again.
        verify: whose certificates to trust; by default those that the system does.
        transport: how requests travel, instead of over the network.

    Raises:
        Unreachable: every request raises it when the service does not answer; likewise
            ``Rejected`` when it refuses, and ``UnreadableAnswer``.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        project: str | None = None,
        timeout: float = 30.0,
        retries: Retries | None = None,
        verify: SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(
            url,
            token,
            project=project,
            timeout=timeout,
            retries=retries,
            verify=verify,
            transport=transport,
        )
        self.receivers = AsyncReceiverRequests(self)
        self.inboxes = AsyncInboxRequests(self)
        self.deliveries = AsyncDeliveryRequests(self)
        self.executions = AsyncExecutionRequests(self)
        self.notifications = AsyncNotificationRequests(self)
        self.audit = AsyncAuditRequests(self)
        self.tokens = AsyncTokenRequests(self)
        self.holds = AsyncHoldRequests(self)
        self.plugins = AsyncPluginRequests(self)

    async def project(self) -> ProjectResource:
        """The project that the client acts in, and how much it has."""
        page = await self.get(CollectionResource[ProjectResource], "projects")
        return page.data[0]

    async def document(self) -> dict[str, Any]:
        """The API as OpenAPI 3.1, with the configs of the installed drivers."""
        answer = await self.send(Sent("GET", path_to("openapi.json"), repeatable=True))
        require_success(answer)
        found: dict[str, Any] = answer.json()
        return found
