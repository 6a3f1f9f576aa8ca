"""Bodies that never end, lie, explode or nest: refused, and the memory stays."""

import gzip
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.host import Host
from tests.reliability.conftest import StartHosts
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from webhook_service.testing.samples import dockerhub_push

MIB = 1024 * 1024
GROWTH = 20 * MIB
STREAMS = 100
CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
PUSH = dockerhub_push(REPOSITORY, "1.2.3")

pytestmark = [pytest.mark.slow]


@pytest.fixture
def host(start_hosts: StartHosts) -> Host:
    (host,) = start_hosts(1)
    return host


@pytest.fixture
def url(farm: Farm, host: Host) -> str:
    """The endpoint of a receiver that has had a push, so that all it needs is loaded."""
    url: str = host.create_receiver(
        name="shop",
        driver="deploymentUpdate",
        deploymentUpdateConfig={"namespace": NAMESPACE, "name": farm.names[0]},
    )["url"]
    for _ in range(50):
        assert httpx.post(url, content=PUSH).status_code == 200
    return url


def memory(host: Host) -> int:
    """The resident memory of the host in bytes."""
    status = Path(f"/proc/{host.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


@contextmanager
def watching(host: Host) -> Iterator[list[int]]:
    """The memory of the host, before and all through the block."""
    seen, ended = [memory(host)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            seen.append(memory(host))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def stream(host: Host, url: str) -> bytes:
    """Send a gigabyte in chunks, as far as the host takes it; gives the answer's status."""
    target = httpx.URL(url)
    path = target.raw_path.decode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with socket.create_connection((target.host, target.port or 80), timeout=60) as connection:
        connection.sendall(head)
        with suppress(OSError):
            for _ in range(1024 * MIB // 65536):
                connection.sendall(CHUNK)
        return _status(connection)


def test_a_hundred_endless_bodies_leave_the_memory_as_it_was(host: Host, url: str) -> None:
    with watching(host) as seen, ThreadPoolExecutor(STREAMS) as pool:
        answers = Counter(pool.map(lambda _: stream(host, url), range(STREAMS)))
        assert httpx.post(url, content=PUSH, timeout=10).status_code == 200
    print(f"{dict(answers)}, {(max(seen) - seen[0]) / MIB:.1f} MiB more at most")
    assert set(answers) <= {b"413", b"closed"}
    assert max(seen) - seen[0] <= GROWTH


def test_bodies_that_stop_just_short_of_the_limit_do_not_fill_the_memory(
    host: Host, url: str
) -> None:
    target = httpx.URL(url)
    path = target.raw_path.decode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}\r\n\r\n".encode()
    with watching(host) as seen, ExitStack() as stack:
        stalled = []
        # The cap on connections leaves some for the good traffic from this address.
        for _ in range(STREAMS - 10):
            address = (target.host, target.port or 80)
            connection = stack.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(head)
            with suppress(OSError):
                connection.sendall(b"x" * (MIB - 1))
            stalled.append(connection)
        small = [httpx.post(url, content=PUSH, timeout=10) for _ in range(20)]
        answers = Counter(_status(connection) for connection in stalled)
    print(f"{dict(answers)}, {(max(seen) - seen[0]) / MIB:.1f} MiB more at most")
    assert {answer.status_code for answer in small} == {200}
    assert set(answers) <= {b"408", b"503", b"closed"}
    assert max(seen) - seen[0] <= GROWTH
    assert httpx.post(url, content=PUSH + b" " * (MIB - len(PUSH))).status_code == 200


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(b" " * 16 * MIB), 415),
        ({}, b"[" * 100_000 + b"]" * 100_000, 400),
        ({}, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    ],
    ids=["a gzip bomb", "deep arrays", "deep objects"],
)
def test_a_body_that_explodes_is_refused_at_no_cost(
    host: Host, url: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    with watching(host) as seen:
        answers = {
            httpx.post(url, content=content, headers=headers, timeout=10).status_code
            for _ in range(20)
        }
    assert answers == {status}
    assert max(seen) - seen[0] <= GROWTH
    assert httpx.post(url, content=PUSH).status_code == 200


@pytest.mark.parametrize("length", [1024 * MIB, 10**18])
def test_a_lying_length_is_refused_before_its_body(host: Host, url: str, length: int) -> None:
    target = httpx.URL(url)
    head = f"POST {target.raw_path.decode()} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}"
    address = (target.host, target.port or 80)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n\r\nx")
        assert _status(connection) == b"413"


def _status(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)[9:12] or b"closed"
    except OSError:
        return b"closed"
