"""The HTTP protocol: uvicorn's, with an end to every request that does not arrive.

uvicorn limits neither the time that a request takes to arrive nor the size of its head, nor how
many connections an address has; an application does not see a request before its head is complete.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr

from webhook_service.host.limits.connections import Connections


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose request is too slow, or whose head is too large.

    Attributes:
        head_seconds: from the first byte of a request, or the connection, to the end of its head.
        rest_seconds: after these, for the body. Routes that read one have their own limit, which
            ends before and answers 408; this one ends bodies that nobody reads.
        head_bytes: of request line and headers.
        admitted: counts connections; one that it does not admit is closed before it is read.
    """

    head_seconds: ClassVar[float] = 10.0
    rest_seconds: ClassVar[float] = 5.0
    head_bytes: ClassVar[int] = 64 * 1024
    admitted: ClassVar[Connections | None] = None

    _address: str | None = None
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if not self._enter(transport):
            return transport.abort()
        super().connection_made(transport)
        # uvicorn goes by the handlers that the application's logging has: URLs hold keys.
        self.access_log = False
        self._begin()

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            self._begin()
        super().data_received(data)
        if self._in_head:
            self._received += len(data)
            if self._received > self.head_bytes and not self.transport.is_closing():
                self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        # Four bytes more each: the colon, a space, and the line's end.
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.head_bytes:
            raise ValueError("the request's head is too large")  # uvicorn answers 400
        self._refuse_ambiguous_framing()
        super().on_headers_complete()

    def _refuse_ambiguous_framing(self) -> None:
        """Two servers may read such a request differently: RFC 9112, sections 3.2 and 6.1."""
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise ValueError("only HTTP/1.0 and HTTP/1.1 are spoken here")
        if len(hosts) > 1 or not hosts and version == "1.1":
            raise ValueError("one Host header is needed")
        if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
            raise ValueError("only the transfer coding chunked is read")

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is None:
            return
        if self.admitted is not None:
            self.admitted.leave(self._address)
        self._end()
        super().connection_lost(exc)

    def _enter(self, transport: asyncio.Transport) -> bool:
        client = get_remote_addr(transport)
        address = client[0] if client else ""
        if self.admitted is not None and not self.admitted.admit(address):
            return False
        self._address = address
        return True

    def _begin(self) -> None:
        self._in_head, self._received = True, 0
        self._timer = self.loop.call_later(self.head_seconds, self._head_is_due)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_is_due(self) -> None:
        if self._in_head:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(self.rest_seconds, self.transport.close)


def bounded(**limits: Any) -> type[BoundedProtocol]:
    """The protocol with other limits."""
    return type("Bounded", (BoundedProtocol,), limits)
