"""The HTTP protocol: uvicorn's, with one reading and an end for every request.

uvicorn limits neither the time that a request takes to arrive nor the size of what stands around
its body, nor how many connections an address has; an application does not see a request before its
head is complete. And it reads what follows the head of a request with ``Upgrade`` as a new request.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, ClassVar

from cryptography.x509 import load_der_x509_certificate
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr

from webhook_service.host.limits.connections import Connections
from webhook_service.host.limits.memory import MIB
from webhook_service.telemetry.logs import sparing

Extension = dict[object, object]
# Bytes are counted per slice, so each limit of bytes holds within so many.
SLICE = 4096
# A chunk of one byte takes six bytes on the wire.
FRAMING_PER_BYTE = 8

log = sparing(__name__)


class _Refused(Exception):
    """A request that is not read any further; the text is the answer."""


class BoundedProtocol(HttpToolsProtocol):
    """Reads requests within limits, and closes the connection of those that exceed one.

    Attributes:
        head_seconds: from the first byte of a request, or the connection, to the end of its head.
        rest_seconds: after these, for the body. Routes that read one have their own limit, which
            ends before and answers 408; this one ends bodies that nobody reads.
        head_bytes: of request line and headers; and likewise of all that stands around the body:
            chunk sizes, chunk extensions, trailers. Each byte of the body allows for some more.
        fields: how many headers and trailers a request may have.
        body_bytes: of a body. Routes that read one have their own limit, which is smaller and
            answers 413; this one ends bodies that nobody reads.
        waiting: how many requests may wait on one connection for the answer to the one before.
        admitted: counts connections; one that it does not admit is closed before it is read.
    """

    head_seconds: ClassVar[float] = 10.0
    rest_seconds: ClassVar[float] = 5.0
    head_bytes: ClassVar[int] = 16 * 1024
    fields: ClassVar[int] = 100
    body_bytes: ClassVar[int] = 4 * MIB
    waiting: ClassVar[int] = 20
    admitted: ClassVar[Connections | None] = None

    _address: str | None = None
    _certificate: Extension | None = None
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _refused = False
    _fields = 0
    _framing = 0
    _body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        client = get_remote_addr(transport)
        if self._address is None and not self.enter(client[0] if client else ""):
            return transport.abort()
        super().connection_made(transport)
        self._certificate = shown_certificate(transport)
        # uvicorn goes by the handlers that the application's logging has: URLs hold keys.
        self.access_log = False
        self._begin()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            for start in range(0, len(data), SLICE):
                if self._refused or self.transport.is_closing():
                    return
                self._read(data[start : start + SLICE])
        except HttpParserError as exc:
            cause = exc.__context__
            self._refuse(str(cause) if isinstance(cause, _Refused) else "This is no HTTP request.")
        except _Refused as exc:
            self._refuse(str(exc))

    def _read(self, data: bytes) -> None:
        if self._timer is None:
            self._begin()
        self._framing += len(data)
        while data:
            try:
                self.parser.feed_data(data)
                break
            except HttpParserUpgrade as exc:
                data = self._head_without_upgrade() + data[exc.args[0] :]
                self.parser = HttpRequestParser(self)
        if self._framing > self.head_bytes:
            part = "head is" if self._in_head else "chunk extensions or trailers are"
            raise _Refused(f"The request's {part} larger than {self.head_bytes} bytes.")

    def _head_without_upgrade(self) -> bytes:
        """The head that was read, for a parser that shall read the body behind it as such.

        A server may ignore Upgrade, and this one does: RFC 9110, section 7.8. The parser cannot
        be told so, and would leave all that follows the head to another protocol.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._certificate is not None:
            self.scope["extensions"] = {"tls": self._certificate}
        self._fields = self._framing = self._body = 0
        if self._timer is None:
            self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > self.fields:
            raise _Refused(f"The request has more than {self.fields} headers and trailers.")
        # A proxy that removes a header from what its callers send may let it pass as a trailer.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # Four bytes more each: the colon, a space, and the line's end.
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.head_bytes:
            raise _Refused(f"The request's head is larger than {self.head_bytes} bytes.")
        self._refuse_ambiguous_framing()
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= self.waiting:
            raise _Refused("Too many requests wait on this connection.")
        self._in_head, self._framing = False, 0
        super().on_headers_complete()

    def _refuse_ambiguous_framing(self) -> None:
        """Two servers may read such a request differently: RFC 9112, sections 3.2 and 6.1."""
        hosts = [value for name, value in self.headers if name == b"host"]
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise _Refused("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
        if len(hosts) > 1 or not hosts and version == "1.1":
            raise _Refused("The request needs one Host header.")
        if codings and version == "1.0":
            raise _Refused("HTTP/1.0 has no Transfer-Encoding.")
        if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
            raise _Refused("The only transfer coding that is read here is chunked.")
        if self.parser.get_method() == b"CONNECT":
            raise _Refused("This is no proxy.")

    def on_body(self, body: bytes) -> None:
        self._framing = max(0, self._framing - (1 + FRAMING_PER_BYTE) * len(body))
        self._body += len(body)
        if self._body > self.body_bytes:
            raise _Refused(f"The request's body is larger than {self.body_bytes} bytes.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._end()
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Without "100 Continue" the caller may or may not send the body after this answer.
        if self.expect_100_continue and self.cycle.response_complete and self.cycle.more_body:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is None:
            return
        self.leave()
        self._end()
        super().connection_lost(exc)

    def _refuse(self, reason: str) -> None:
        """Answer what cannot be read, once, behind the answers that are still due; read no more."""
        log.info("a request from %s was refused: %s", self._address, reason)
        self._refused = True
        self._end()
        due = self.cycle is not None and not self.cycle.response_complete
        if self._in_head and due:
            self.cycle.keep_alive = False
        elif self._in_head or (due and not self.cycle.response_started and not self.pipeline):
            self.send_400_response(reason)
        else:
            self.transport.close()

    def enter(self, address: str) -> bool:
        """Count this connection, whose first moment may be before there is a transport.

        Returns:
            Whether it may stay.
        """
        if self.admitted is not None and not self.admitted.admit(address):
            return False
        self._address = address
        return True

    def leave(self) -> None:
        """Count this connection no more."""
        if self.admitted is not None and self._address is not None:
            self.admitted.leave(self._address)
        self._address = None

    def _begin(self) -> None:
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


def shown_certificate(transport: asyncio.BaseTransport) -> Extension | None:
    """The caller's certificate, which TLS has verified, as ASGI's extension ``tls`` has it.

    https://asgi.readthedocs.io/en/latest/specs/tls.html
    """
    found = transport.get_extra_info("ssl_object")
    der = found.getpeercert(binary_form=True) if found is not None else None
    if der is None:
        return None
    name = load_der_x509_certificate(der).subject.rfc4514_string()
    return {"client_cert_name": name, "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der)]}


def bounded(**limits: Any) -> type[BoundedProtocol]:
    """The protocol with other limits."""
    return type("Bounded", (BoundedProtocol,), limits)
