"""The shortcut: calls of senders pass neither Starlette's router nor its middlewares.

They would take a good part of what a call costs, and most calls are of senders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook_service.errors import WebhookServiceError
from webhook_service.host.http.failures import Failures
from webhook_service.host.http.routes import Handler


class Shortcut:
    """A middleware that hands the POSTs on some paths to their handler.

    Args:
        paths: without the prefix that the application is mounted at.
        failures: answer the errors that the handler raises on purpose.
    """

    def __init__(
        self, app: ASGIApp, paths: Collection[str], handler: Handler, failures: Failures
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._handler = handler
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._leads(scope):
            return await self._app(scope, receive, send)
        require_asyncio()
        request = Request(scope, receive)
        try:
            response = await self._handler(request)
        except WebhookServiceError as exc:
            response = await self._failures.known(request, exc)
        except ClientDisconnect as exc:
            response = await self._failures.gone(request, exc)
        await response(scope, receive, send)

    def _leads(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST":
            return False
        return scope["path"].removeprefix(scope.get("root_path", "")) in self._paths


def require_asyncio() -> None:
    """Refuse a server that runs applications on another loop.

    Raises:
        RuntimeError: it is trio's.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "webhook-service runs on asyncio, and this server runs it on trio: let the server "
            "use asyncio."
        ) from None
