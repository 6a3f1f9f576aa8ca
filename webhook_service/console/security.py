"""What keeps other sites out: the headers of every answer, and who may POST."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhook_service.errors import WebhookServiceError

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class ForeignRequest(WebhookServiceError):
    """A form that another site sent with this person's session; nothing was done."""

    status = 403
    code = "foreign_request"


def require_same_origin(request: Request, own: str) -> None:
    """Let a POST pass that a page of this console sent.

    Browsers say with ``Sec-Fetch-Site`` who sends a request to a secure address, and with
    ``Origin`` who sends a POST. Whoever sends neither is no browser, and can use the API.

    Args:
        own: the origin under which the browser knows this console.

    Raises:
        ForeignRequest: another site sent it, or nobody says who did.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site == "same-origin":
        return
    if site is not None or origin is None or _same(origin) != _same(own):
        raise ForeignRequest(
            "This did not come from a page of this console, so nothing was done. Go to the "
            "console, and use its button there."
        )


def _same(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


class SecurityHeaders:
    """A middleware that gives every answer the headers; what an answer says itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                said = {name.lower() for name, _ in headers}
                headers += [
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in said
                ]
            await send(message)

        await self._app(scope, receive, careful if scope["type"] == "http" else send)
