"""What a request looks like on the wire: one clear answer each, and never two to one request."""

import re
import socket

import pytest

from tests.host.served import Served
from tests.support import PROJECT, add_receiver

BODY = b'{"push_data":{"tag":"1"},"repository":{"repo_name":"a/b"}}'
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNK = b"%x" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
TARGET = b"/v1-webhooks/endpoint?key=%s&projectId=" + PROJECT.encode()

# The request line's rest, the headers, the body, and the status of the answer.
ACCEPTED: dict[str, tuple[bytes, list[bytes], bytes]] = {
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
}
REFUSED: dict[str, tuple[bytes, list[bytes], bytes]] = {
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
    "trailer that is a host": (
        b"HTTP/1.1",
        [b"Host: h", CHUNKED],
        CHUNK + b"\r\n" + BODY + b"\r\n0\r\nHost: evil\r\n\r\n",
    ),
}
LINES: dict[str, tuple[bytes, str]] = {
    "http/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100, "400"),
    "binary": (b"\x00\x01\x02\r\n\r\n", "400"),
    "lower case method": (b"post /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "unknown method": (b"FROB /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    "connect": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
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


def _statuses(served: Served, sent: bytes) -> list[str]:
    """The status of each answer, up to the connection's end or a moment of silence."""
    received = b""
    with socket.create_connection(("127.0.0.1", served.port), timeout=0.4) as connection:
        try:
            connection.sendall(sent)
            while data := connection.recv(65_536):
                received += data
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return re.findall(r"HTTP/1\.[01] (\d{3}) ", received.decode(errors="replace"))


@pytest.fixture(scope="module")
def target(shared: Served) -> bytes:
    _, key = add_receiver(shared.service, name="framing")
    return TARGET % key.encode()


def _request(target: bytes, parts: tuple[bytes, list[bytes], bytes]) -> bytes:
    version, headers, body = parts
    line = b" ".join([b"POST", target, version]).rstrip()
    return b"\r\n".join([line, *headers, b"", body])


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_well_formed_call_is_accepted(shared: Served, target: bytes, name: str) -> None:
    assert _statuses(shared, _request(target, ACCEPTED[name])) == ["200"]


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_call_is_refused_once(shared: Served, target: bytes, name: str) -> None:
    assert _statuses(shared, _request(target, REFUSED[name])) == ["400"]


@pytest.mark.parametrize("name", LINES)
def test_an_odd_request_has_one_plain_answer(shared: Served, name: str) -> None:
    sent, status = LINES[name]
    assert _statuses(shared, sent) == [status]


def test_pipelined_calls_are_answered_one_by_one(shared: Served, target: bytes) -> None:
    call = _request(target, ACCEPTED["content length"])
    assert _statuses(shared, call * 3) == ["200"] * 3
