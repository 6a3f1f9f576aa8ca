"""Requests that are too large, too slow, or no JSON: a 4xx, and never a fault of ours."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.host.served import Served, serving
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.host.http.body import BodyLimits
from webhook_service.host.limits.memory import FREE, BodyMemory
from webhook_service.host.limits.protocol import bounded
from webhook_service.testing.samples import dockerhub_push

MIB = 1024 * 1024
PUSH = dockerhub_push("acme/shop", "1.2.3")
SOON = 0.3
BAD_JSON = {
    "not JSON": b"{not json",
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 40 + b"1" + b"}" * 40,
    "NaN": b'{"push_data": NaN}',
    "infinite": b'{"push_data": {"tag": "1", "pushed_at": 1e999}}',
    "a key twice": b'{"push_data": {"tag": "1"}, "push_data": {"tag": "2"}}',
    "half a surrogate pair": rb'{"push_data": {"tag": "\ud800"}}',
    "NUL": rb'{"push_data": {"tag": "1\u0000"}}',
    "bad UTF-8": b'{"push_data": {"tag": "\xff"}}',
    "many digits": b"9" * 5000,
    "many arrays": b"[" + b"[]," * 200_000 + b"[]]",
    "a scalar": b"7",
}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host that waits for nobody."""
    service = make_service(sqlite_url(tmp_path_factory.mktemp("hasty")))
    with serving(
        service,
        limits=BodyLimits(seconds=SOON),
        protocol=bounded(head_seconds=SOON, rest_seconds=SOON),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def path(hasty: Served) -> str:
    """Path and query of a receiver's URL."""
    _, key = add_receiver(hasty.service)
    return f"/v1-webhooks/endpoint?key={key}&projectId={PROJECT}"


@pytest.fixture
def client(hasty: Served) -> Iterator[httpx.Client]:
    with hasty.client() as client:
        yield client


def _padded(size: int) -> bytes:
    return PUSH + b" " * (size - len(PUSH))


def _chunks(body: bytes, size: int = 65536) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def _head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def _read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not chunk:
            return found
        found += chunk


def test_a_body_of_one_mebibyte_is_taken(client: httpx.Client, path: str) -> None:
    assert client.post(path, content=_padded(MIB)).status_code == 200
    assert client.post(path, content=_chunks(_padded(MIB))).status_code == 200


def test_one_byte_more_is_refused_and_the_connection_closed(
    client: httpx.Client, path: str
) -> None:
    declared = client.post(path, content=_padded(MIB + 1))
    chunked = client.post(path, content=_chunks(_padded(MIB + 1)))
    for answer in (declared, chunked):
        assert answer.status_code == 413
        assert answer.headers["Connection"] == "close"
        assert answer.json()["code"] == "body_too_large"


def test_large_bodies_share_their_room_and_small_ones_need_none(tmp_path: Path) -> None:
    room = BodyMemory(100_000)
    with serving(make_service(sqlite_url(tmp_path)), limits=BodyLimits(room=room)) as served:
        _, key = add_receiver(served.service)
        path = f"/v1-webhooks/endpoint?key={key}&projectId={PROJECT}"
        with served.client() as client:
            for more, status in ((100_001, 503), (100_000, 200), (100_000, 200)):
                answer = client.post(path, content=_chunks(_padded(FREE + more)))
                assert answer.status_code == status
            room.left = 0
            refused = client.post(path, content=_padded(FREE + 1))
            assert refused.json()["code"] == "too_many_bodies"
            assert refused.headers["Connection"] == "close" and refused.headers["Retry-After"]
            assert client.post(path, content=_padded(FREE)).status_code == 200
            assert room.left == 0


def test_a_receiver_s_body_has_the_same_limit(client: httpx.Client) -> None:
    body = json.dumps({"name": "x" * MIB})
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1-webhooks/receivers", content=body, headers=headers)
    assert answer.status_code == 413


def test_an_endless_body_is_cut_off(hasty: Served, path: str) -> None:
    with _connect(hasty) as connection:
        connection.sendall(_head(path, "Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 64 * MIB:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
        assert sent < 16 * MIB


@pytest.mark.parametrize("length", ["99999999999999999999", "9" * 17])
def test_a_lying_length_is_refused_before_the_body(hasty: Served, path: str, length: str) -> None:
    with _connect(hasty) as connection:
        connection.sendall(_head(path, f"Content-Length: {length}"))
        assert _read_all(connection).split(b" ")[1] in (b"413", b"400")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP"])
def test_a_compressed_body_is_refused(client: httpx.Client, path: str, encoding: str) -> None:
    answer = client.post(path, content=PUSH, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["Connection"]) == (415, "close")


def test_identity_is_no_compression(client: httpx.Client, path: str) -> None:
    assert client.post(path, content=PUSH, headers={"Content-Encoding": "identity"}).is_success


def test_a_slow_body_is_answered_408_and_closed(hasty: Served, path: str) -> None:
    with _connect(hasty) as connection:
        started = time.monotonic()
        connection.sendall(_head(path, "Content-Length: 100") + b"{")
        answer = _read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 ") and b"request_timeout" in answer
        assert time.monotonic() - started < 5


def test_a_body_that_drips_has_no_more_time(hasty: Served, path: str) -> None:
    with _connect(hasty) as connection:
        connection.sendall(_head(path, "Content-Length: 10000"))
        started = time.monotonic()
        try:
            while time.monotonic() - started < 5:
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("first", [b"", b"POST /", b"POST / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n"])
def test_a_slow_head_is_closed(hasty: Served, first: bytes) -> None:
    with _connect(hasty) as connection:
        started = time.monotonic()
        connection.sendall(first)
        assert _read_all(connection) == b""
        assert time.monotonic() - started < 5


def test_a_slow_second_request_is_closed(hasty: Served) -> None:
    with _connect(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /healthz HT")
        assert _read_all(connection) == b""


def test_a_body_that_nobody_reads_does_not_keep_the_connection(hasty: Served) -> None:
    with _connect(hasty) as connection:
        connection.sendall(_head("/v1-webhooks/receivers", "Content-Length: 1000") + b"{")
        assert b" 401 " in _read_all(connection)


def test_requests_that_follow_each_other_are_answered(hasty: Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with _connect(hasty) as connection:
        connection.sendall(one + one + last)
        assert _read_all(connection).count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_large_head_is_refused(hasty: Served, end: bytes) -> None:
    with _connect(hasty) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 400_000 + end)
            answer = _read_all(connection)
        except OSError:
            return
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n",
        b"GET /v1-webhooks?projectId=1 HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_ambiguous_requests_are_refused(hasty: Served, request_: bytes) -> None:
    with _connect(hasty) as connection:
        connection.sendall(request_)
        answer = _read_all(connection)
        assert b"HTTP/1.1 400 " in answer and b"HTTP/1.1 200" not in answer


@pytest.mark.parametrize("name", BAD_JSON)
def test_what_is_no_json_is_the_sender_s_mistake(
    client: httpx.Client, path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pushed = client.post(path, content=BAD_JSON[name])
    assert (pushed.status_code, pushed.json()["code"]) == (400, "invalid_payload")
    headers = {"Content-Type": "application/json"}
    made = client.post("/v1-webhooks/receivers", content=BAD_JSON[name], headers=headers)
    assert made.status_code == 400
    assert made.json()["message"].startswith("Bad request body: ")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_caller_that_goes_away_leaves_no_traceback(
    hasty: Served, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = _head(path, f"Content-Length: {len(PUSH)}") + PUSH
    for sent in [whole[:-1]] * 5 + [whole] * 20 + [whole * 3] * 5:
        with _connect(hasty) as connection:
            connection.sendall(sent)
            time.sleep(0.002)
    time.sleep(0.1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
