"""What strangers leave unfinished takes little memory of a host in a process of its own."""

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.servers.process import Process, free_port
from webhook_service.host.limits.connections import allow_open_files

PROGRAM = Path(sys.executable).with_name("webhook-service")
MIB = 1024 * 1024
MOST = 50 * MIB
LINE = b"POST /v1-webhooks/endpoint HTTP/1.1\r\nHost: h\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
# As large as they may be, and as large as they were once allowed to be.
HEADS = [
    LINE + b"a:\r\n" * 15_000,
    LINE + b"X: " + b"a" * 60_000,
    LINE + b"X: " + b"a" * 16_000,
    LINE + b"a:\r\n" * 98,
    b"GET /" + b"a" * 16_000,
    LINE + b"".join(b"%d:%s\r\n" % (number, b"a" * 150) for number in range(98)),
]
TRAILERS = [b"a:\r\n" * 300, b"a" * 1200, b"a: " + b"a" * 1000 + b"\r\n"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[tuple[int, Process]]:
    """The port and the process of a host."""
    folder, port = tmp_path, free_port()
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
        "LISTEN": f"127.0.0.1:{port}",
        "MAX_CONNECTIONS_PER_ADDRESS": "0",
        "ADDRESS_RATE": "0",
    }
    env = {f"WEBHOOK_SERVICE_{name}": value for name, value in settings.items()}
    process = Process([PROGRAM, "serve"], folder, env=os.environ | env)

    def ready() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
        return False

    process.start(ready)
    yield port, process
    process.stop()


def _resident(process: Process) -> int:
    """The bytes of memory that the process has."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


@pytest.fixture
def connect(host: tuple[int, Process]) -> Iterator[Callable[[], socket.socket]]:
    allow_open_files(1200)
    with ExitStack() as stack:

        def connect() -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", host[0]), 10)
            return stack.enter_context(connection)

        yield connect


def test_a_thousand_unfinished_heads_take_less_than_50_mib(
    host: tuple[int, Process], connect: Callable[[], socket.socket]
) -> None:
    port, process = host
    before = _resident(process)
    for number in range(1000):
        with suppress(OSError):
            connect().sendall(HEADS[number % len(HEADS)])
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    assert _resident(process) - before < MOST


def test_a_hundred_endless_trailers_take_less_than_50_mib(
    host: tuple[int, Process], connect: Callable[[], socket.socket]
) -> None:
    before = most = _resident(host[1])
    sending = {connect(): TRAILERS[number % len(TRAILERS)] for number in range(100)}
    for connection in sending:
        connection.sendall(CHUNKED)
    for _ in range(1000):
        for connection, trailers in list(sending.items()):
            try:
                connection.sendall(trailers)
            except OSError:
                del sending[connection]
        most = max(most, _resident(host[1]))
    assert not sending
    assert most - before < MOST
