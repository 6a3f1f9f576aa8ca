"""Failures: the one place where an error becomes an answer."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhook_service.errors import (
    BodyTooLarge,
    InvalidRequest,
    RequestTimedOut,
    TooManyBodies,
    Unauthenticated,
    Unavailable,
    UnsupportedBody,
    WebhookServiceError,
    WrongMethod,
)
from webhook_service.host.http.address import Addresses, path_of
from webhook_service.host.http.disconnect import disconnected
from webhook_service.host.http.links import Links
from webhook_service.host.wire import error_json

INTERNAL = "Internal error; the service's log has the details."
# Answers hold keys and tokens: nobody keeps them, passes their URL on, or guesses what they are.
CAREFUL = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
# The body of these requests was not read to its end.
_CLOSING = (BodyTooLarge, RequestTimedOut, TooManyBodies, UnsupportedBody)

log = logging.getLogger(__name__)


class Failures:
    """Answers for every exception that a route raises.

    Args:
        addresses: for the link that an error has to what was called.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def handlers(self) -> dict[Any, Any]:
        """Exception handlers by class, for Starlette."""
        return {
            WebhookServiceError: self.known,
            HTTPException: self.no_such_route,
            ClientDisconnect: self.gone,
        }

    def last(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application: every other exception is answered too, and all with care.

        Starlette would raise it again after its answer, and the server log it a second time.
        """

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            started = False

            async def watched(message: Message) -> None:
                nonlocal started
                if not started:
                    said = [*message.get("headers", ())]
                    names = {name for name, _ in said}
                    message["headers"] = said + [item for item in CAREFUL if item[0] not in names]
                started = True
                await send(message)

            request = Request(scope)
            try:
                await app(scope, receive, watched)
            except Exception as exc:
                if not started:
                    return await (await self.unexpected(request, exc))(scope, receive, watched)
                # An answer is sent as a whole, so it is the connection that failed.
                log.debug("%s %s was not answered: %s", request.method, path_of(request), exc)
                # uvloop refuses to write some time before it says that the connection is lost, and
                # a server logs an error if the application ends before that.
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await disconnected(receive)

        return wrapped

    async def known(self, request: Request, exc: WebhookServiceError) -> Response:
        """An error that was raised on purpose."""
        if exc.status == 500:
            return await self.unexpected(request, exc)
        _forget_frames(exc)
        headers = {}
        if isinstance(exc, Unavailable):
            headers["Retry-After"] = str(exc.retry_after)
        if isinstance(exc, Unauthenticated):
            headers["WWW-Authenticate"] = 'Bearer realm="webhook-service"'
        if isinstance(exc, WrongMethod):
            headers["Allow"] = "POST"
        if isinstance(exc, _CLOSING):
            headers["Connection"] = "close"
        return self._answer(request, exc.status, exc.code, exc.message, headers)

    async def unexpected(self, request: Request, exc: Exception) -> Response:
        """A fault of ours, or a setting that is wrong: the caller learns nothing about it."""
        log.error("%s %s failed", request.method, path_of(request), exc_info=exc)
        return self._answer(request, 500, WebhookServiceError.code, INTERNAL)

    async def no_such_route(self, request: Request, exc: HTTPException) -> Response:
        """An unknown path or method, in v1.6's words."""
        return PlainTextResponse("404 page not found\n", 404)

    async def gone(self, request: Request, exc: ClientDisconnect) -> Response:
        """The caller went away; nobody reads this."""
        return Response(status_code=400)

    def _answer(
        self,
        request: Request,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
    ) -> Response:
        try:
            links = self._addresses.links(request)
        except InvalidRequest:
            links = Links("")
        body = error_json(status, code, message, links.bare(path_of(request)))
        return JSONResponse(body, status, headers)


def _forget_frames(exc: BaseException | None) -> None:
    """Free at once what the frames hold, such as the body: they may refer to each other.

    Bad bodies would pile up in memory until the next garbage collection.
    """
    while exc is not None:
        exc.__traceback__ = None
        exc = exc.__cause__ or exc.__context__
