"""The client as programs open it.

Made from ``asynchronous``: change that.
"""

from __future__ import annotations

from ssl import SSLContext
from typing import Any

import httpx

from webhook_service.client.exchange import Retries, Sent, path_to, require_success
from webhook_service.client.synchronous.audit import AuditRequests
from webhook_service.client.synchronous.channel import Channel
from webhook_service.client.synchronous.deliveries import DeliveryRequests
from webhook_service.client.synchronous.executions import ExecutionRequests
from webhook_service.client.synchronous.holds import HoldRequests
from webhook_service.client.synchronous.inboxes import InboxRequests
from webhook_service.client.synchronous.notifications import NotificationRequests
from webhook_service.client.synchronous.plugins import PluginRequests
from webhook_service.client.synchronous.receivers import ReceiverRequests
from webhook_service.client.synchronous.tokens import TokenRequests
from webhook_service.resources import CollectionResource, ProjectResource


class Client(Channel):
    """The management API of one service.

    ``with Client(url, token) as client``; each group of requests is an attribute:
    ``client.executions.wait(id)``.

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
        transport: httpx.BaseTransport | None = None,
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
        self.receivers = ReceiverRequests(self)
        self.inboxes = InboxRequests(self)
        self.deliveries = DeliveryRequests(self)
        self.executions = ExecutionRequests(self)
        self.notifications = NotificationRequests(self)
        self.audit = AuditRequests(self)
        self.tokens = TokenRequests(self)
        self.holds = HoldRequests(self)
        self.plugins = PluginRequests(self)

    def project(self) -> ProjectResource:
        """The project that the client acts in, and how much it has."""
        page = self.get(CollectionResource[ProjectResource], "projects")
        return page.data[0]

    def document(self) -> dict[str, Any]:
        """The API as OpenAPI 3.1, with the configs of the installed drivers."""
        answer = self.send(Sent("GET", path_to("openapi.json"), repeatable=True))
        require_success(answer)
        found: dict[str, Any] = answer.json()
        return found
