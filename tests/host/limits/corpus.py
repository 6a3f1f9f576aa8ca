"""Requests as bytes on the wire, and how each is answered.

Sent to the host, to its protocol cut at every byte, and through real proxies.
"""

import re
import socket
import time

from tests.support import PROJECT

BODY = b'{"push_data":{"tag":"1"},"repository":{"repo_name":"a/b"}}'
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNK = b"%x" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
TARGET = b"/v1-webhooks/endpoint?key=%s&projectId=" + PROJECT.encode()

# The request line's rest, the headers, the body.
Parts = tuple[bytes, list[bytes], bytes]
H2C = [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"]
WEBSOCKET = [
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
CHUNKS = CHUNK + b"\r\n" + BODY + b"\r\n0\r\n"
ACCEPTED: dict[str, Parts] = {
    "content length": (b"HTTP/1.1", [b"Host: h", LENGTH], BODY),
    "chunked": (b"HTTP/1.1", [b"Host: h", CHUNKED], CHUNK + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunk extension": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        CHUNK + b";a=b\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    "chunked in capitals": (
        b"HTTP/1.1",
        [b"Host: h", b"TRANSFER-ENCODING: Chunked"],
        CHUNK + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    ),
    "http 1.0 without host": (b"HTTP/1.0", [LENGTH], BODY),
    "h2c": (b"HTTP/1.1", [b"Host: h", *H2C, LENGTH], BODY),
    "h2c in chunks": (b"HTTP/1.1", [b"Host: h", *H2C, CHUNKED], CHUNKS + b"\r\n"),
    "websocket": (b"HTTP/1.1", [b"Host: h", *WEBSOCKET, LENGTH], BODY),
    "websocket in chunks": (b"HTTP/1.1", [b"Host: h", *WEBSOCKET, CHUNKED], CHUNKS + b"\r\n"),
    "upgrade in capitals": (
        b"HTTP/1.1",
        [b"Host: h", LENGTH, b"UPGRADE: H2C", b"CONNECTION: UPGRADE"],
        BODY,
    ),
    "upgrade to what nobody knows": (
        b"HTTP/1.1",
        [b"Host: h", b"Upgrade: TLS/1.0, x/2", b"Connection: keep-alive, upgrade", LENGTH],
        BODY,
    ),
    "two upgrades": (
        b"HTTP/1.1",
        [b"Host: h", b"Upgrade: h2c", b"Upgrade: websocket", b"Connection: Upgrade", LENGTH],
        BODY,
    ),
    "empty upgrade": (b"HTTP/1.1", [b"Host: h", b"Upgrade:", b"Connection: upgrade", LENGTH], BODY),
    "upgrade without its connection": (b"HTTP/1.1", [b"Host: h", b"Upgrade: h2c", LENGTH], BODY),
    "connection without its upgrade": (
        b"HTTP/1.1",
        [b"Host: h", b"Connection: upgrade", LENGTH],
        BODY,
    ),
    "http 1.0 with upgrade": (b"HTTP/1.0", [b"Host: h", *H2C, LENGTH], BODY),
    "trailers": (b"HTTP/1.1", [b"Host: h", CHUNKED], CHUNKS + b"A: b\r\nC: d\r\n\r\n"),
    "trailer that is a host": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        CHUNKS + b"Host: evil\r\n\r\n",
    ),
    "h2c with trailers": (
        b"HTTP/1.1",
        [b"Host: h", *H2C, CHUNKED],
        CHUNKS + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ),
}
REFUSED: dict[str, Parts] = {
    "length and chunked": (b"HTTP/1.1", [b"Host: h", LENGTH, CHUNKED], b"0\r\n\r\n" + BODY),
    "two lengths": (b"HTTP/1.1", [b"Host: h", LENGTH, b"Content-Length: 3"], BODY),
    "two equal lengths": (b"HTTP/1.1", [b"Host: h", LENGTH, LENGTH], BODY),
    "list of lengths": (b"HTTP/1.1", [b"Host: h", b"Content-Length: 5, 5"], BODY),
    "negative length": (b"HTTP/1.1", [b"Host: h", b"Content-Length: -1"], BODY),
    "signed length": (b"HTTP/1.1", [b"Host: h", b"Content-Length: +5"], BODY),
    "hexadecimal length": (b"HTTP/1.1", [b"Host: h", b"Content-Length: 0x5"], BODY),
    "huge length": (b"HTTP/1.1", [b"Host: h", b"Content-Length: " + b"9" * 40], BODY),
    "identity and chunked": (
        b"HTTP/1.1",
        [b"Host: h", b"Transfer-Encoding: identity, chunked"],
        b"0\r\n\r\n",
    ),
    "chunked and identity": (
        b"HTTP/1.1",
        [b"Host: h", b"Transfer-Encoding: chunked, identity"],
        b"0\r\n\r\n",
    ),
    "gzip and chunked": (
        b"HTTP/1.1",
        [b"Host: h", b"Transfer-Encoding: gzip, chunked"],
        b"0\r\n\r\n",
    ),
    "gzip alone": (b"HTTP/1.1", [b"Host: h", b"Transfer-Encoding: gzip"], b""),
    "unknown coding": (b"HTTP/1.1", [b"Host: h", b"Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
    "coding after a tab": (b"HTTP/1.1", [b"Host: h", b"Transfer-Encoding:\x0bchunked"], b""),
    "space before a colon": (b"HTTP/1.1", [b"Host: h", b"Transfer-Encoding : chunked"], b""),
    "two codings": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED, b"Transfer-Encoding: identity"],
        b"0\r\n\r\n",
    ),
    "chunked twice": (b"HTTP/1.1", [b"Host: h", CHUNKED, CHUNKED], b"0\r\n\r\n"),
    "chunk size not hexadecimal": (b"HTTP/1.1", [b"Host: h", CHUNKED], b"zz\r\nab\r\n0\r\n\r\n"),
    "negative chunk size": (b"HTTP/1.1", [b"Host: h", CHUNKED], b"-5\r\nab\r\n0\r\n\r\n"),
    "chunk size too large": (b"HTTP/1.1", [b"Host: h", CHUNKED], b"f" * 18 + b"\r\nab\r\n"),
    "chunk without its end": (b"HTTP/1.1", [b"Host: h", CHUNKED], b"2\r\nab0\r\n\r\n"),
    "two hosts": (b"HTTP/1.1", [b"Host: h", b"Host: evil", LENGTH], BODY),
    "two equal hosts": (b"HTTP/1.1", [b"Host: h", b"Host: h", LENGTH], BODY),
    "no host": (b"HTTP/1.1", [LENGTH], BODY),
    "host with a user": (b"HTTP/1.1", [b"Host: a@evil", LENGTH], BODY),
    "host with a space": (b"HTTP/1.1", [b"Host: a b", LENGTH], BODY),
    "host with a path": (b"HTTP/1.1", [b"Host: h/x", LENGTH], BODY),
    "folded header": (b"HTTP/1.1", [b"Host: h", b"X-A: a\r\n b", LENGTH], BODY),
    "carriage return in a header": (b"HTTP/1.1", [b"Host: h", b"X: a\rb", LENGTH], BODY),
    "nul in a header": (b"HTTP/1.1", [b"Host: h", b"X: a\x00b", LENGTH], BODY),
    "space in a header's name": (b"HTTP/1.1", [b"Host: h", b"X Y: a", LENGTH], BODY),
    "header without a name": (b"HTTP/1.1", [b"Host: h", b": a", LENGTH], BODY),
    "header without a colon": (b"HTTP/1.1", [b"Host: h", b"Xa", LENGTH], BODY),
    "version 1.2": (b"HTTP/1.2", [b"Host: h", LENGTH], BODY),
    "version 2.0": (b"HTTP/2.0", [b"Host: h", LENGTH], BODY),
    "no version": (b"", [], b""),
    "unknown protocol": (b"HTTQ/1.1", [b"Host: h", LENGTH], BODY),
    "head of 70 kB": (b"HTTP/1.1", [b"Host: h", b"X: " + b"a" * 70_000, LENGTH], BODY),
    "20,000 headers": (b"HTTP/1.1", [b"Host: h", *[b"X: y"] * 20_000, LENGTH], BODY),
    "101 headers": (b"HTTP/1.1", [b"Host: h", *[b"X: y"] * 99, LENGTH], BODY),
    "header of 17 kB": (b"HTTP/1.1", [b"Host: h", b"X: " + b"a" * 17_000, LENGTH], BODY),
    "101 headers and trailers": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        b"0\r\n" + b"a:\r\n" * 99 + b"\r\n",
    ),
    "trailer of 30 kB": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        b"0\r\na: " + b"a" * 30_000 + b"\r\n\r\n",
    ),
    "chunk extension of 30 kB": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        b"1;" + b"a" * 30_000 + b"\r\na\r\n0\r\n\r\n",
    ),
    "upgrade and chunked in http 1.0": (b"HTTP/1.0", [b"Host: h", *H2C, CHUNKED], b"0\r\n\r\n"),
    "chunked in http 1.0": (b"HTTP/1.0", [CHUNKED], CHUNKS + b"\r\n"),
    "h2c with two lengths": (
        b"HTTP/1.1",
        [b"Host: h", *H2C, LENGTH, b"Content-Length: 3"],
        BODY,
    ),
    "h2c with length and chunked": (
        b"HTTP/1.1",
        [b"Host: h", *H2C, LENGTH, CHUNKED],
        b"0\r\n\r\n" + BODY,
    ),
    "websocket without a host": (b"HTTP/1.1", [*WEBSOCKET, LENGTH], BODY),
}
# Whole requests, and the status of their answer.
LINES: dict[str, tuple[bytes, str]] = {
    "http/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100, "400"),
    "binary": (b"\x00\x01\x02\r\n\r\n", "400"),
    "lower case method": (b"post /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "unknown method": (b"FROB /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "connect": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "connect with a body": (
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 34\r\n\r\n"
        b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
    ),
    "connect in chunks": (
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
    ),
    "connect with an upgrade": (
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "400",
    ),
    "websocket without a body": (
        b"GET /healthz HTTP/1.1\r\nHost: h\r\n" + b"\r\n".join(WEBSOCKET) + b"\r\n\r\n",
        "200",
    ),
    "trace": (b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "404"),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "404"),
    "double slash": (b"GET //healthz HTTP/1.1\r\nHost: h\r\n\r\n", "404"),
    "dot segment": (b"GET /v1-webhooks/./receivers HTTP/1.1\r\nHost: h\r\n\r\n", "404"),
    "encoded dots": (b"GET /x/%2e%2e/healthz HTTP/1.1\r\nHost: h\r\n\r\n", "404"),
    "encoded slash": (b"GET /v1-webhooks%2freceivers HTTP/1.1\r\nHost: h\r\n\r\n", "401"),
    "encoded nul": (b"POST /v1-webhooks/endpoint?key=%00 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "encoded 0xff": (b"GET /v1-webhooks/receivers/%ff HTTP/1.1\r\nHost: h\r\n\r\n", "401"),
    "raw 0xff": (b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "space in the target": (b"GET /health z HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "target of 70 kB": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: h\n\n", "400"),
}


def request(target: bytes, parts: Parts) -> bytes:
    """A call of the endpoint."""
    version, headers, body = parts
    line = b" ".join([b"POST", target, version]).rstrip()
    return b"\r\n".join([line, *headers, b"", body])


INNER = request(b"/inner", (b"HTTP/1.1", [b"Host: h", b"X-Forwarded-For: 10.1.1.1", LENGTH], BODY))


def smuggling(headers: list[bytes], padding: bytes = b"") -> bytes:
    """A request whose body is one more request."""
    inner = padding + INNER
    length = b"Content-Length: %d" % len(inner)
    return request(b"/healthz", (b"HTTP/1.1", [b"Host: h", *headers, length], inner))


# Each is one request; its body is another one.
SMUGGLED: dict[str, bytes] = {
    "plain": smuggling([]),
    "h2c": smuggling(H2C),
    "websocket": smuggling(WEBSOCKET),
    "http 1.0 and h2c": smuggling(H2C).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "empty lines": smuggling(H2C, b"\r\n" * 200),
    "chunked": request(
        b"/healthz",
        (
            b"HTTP/1.1",
            [b"Host: h", *WEBSOCKET, CHUNKED],
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER),
        ),
    ),
    "expect": smuggling([b"Expect: 100-continue", *H2C]),
}


def statuses(port: int, *segments: bytes) -> list[str]:
    """The status of each answer, up to the connection's end or a moment of silence."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for segment in segments:
                connection.sendall(segment)
                time.sleep(0.01)
            while data := connection.recv(65_536):
                received += data
                connection.settimeout(0.1)
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return re.findall(r"HTTP/1\.[01] (\d{3}) ", received.decode(errors="replace"))
