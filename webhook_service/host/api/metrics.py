"""``/metrics`` of the host: for this machine, and for those who send the metrics token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import ip_address

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.errors import Unauthenticated
from webhook_service.host.http.routes import by_method

# Of Prometheus' text format.
TYPE = "text/plain; version=0.0.4; charset=utf-8"
# A proxy on this machine calls for others.
OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class MetricsPage:
    """The metrics as text.

    Args:
        text: gives them; it asks the database.
        token: that opens the page to other machines; without one it is for this machine alone.
    """

    def __init__(self, text: Callable[[], bytes], token: str | None = None) -> None:
        self._text = text
        self._token = token

    def routes(self) -> list[Route]:
        return by_method("/metrics", GET=self.get)

    async def get(self, request: Request) -> Response:
        """The metrics, for whom they are."""
        if not (_from_here(request) or self._has_token(request)):
            raise Unauthenticated(
                "Metrics are for calls from this machine itself, and for those with "
                "'Authorization: Bearer' and the token in WEBHOOK_SERVICE_METRICS_TOKEN."
            )
        return Response(await run_in_threadpool(self._text), media_type=TYPE)

    def _has_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if self._token is None or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self._token.encode())


def _from_here(request: Request) -> bool:
    """Whether a program of this machine calls, and for itself."""
    if request.client is None or any(name in request.headers for name in OF_PROXIES):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
