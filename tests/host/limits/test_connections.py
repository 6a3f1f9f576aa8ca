"""Connections past the cap are closed before anything is read from them."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.host.served import Served, serving
from tests.support import make_service, sqlite_url, wait_for
from webhook_service.host.http.address import Proxies
from webhook_service.host.limits.connections import OTHER_FILES, Connections, allow_open_files
from webhook_service.host.limits.protocol import bounded

PER_ADDRESS, TOTAL = 3, 8
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def test_each_address_has_its_share_and_all_have_the_total() -> None:
    met: list[str] = []
    counts: list[int] = []
    connections = Connections(4, 2, on_refused=met.append, on_count=counts.append)
    admitted = [connections.admit(f"192.0.2.{number}") for number in (1, 1, 1, 2, 2, 3)]
    assert admitted == [True, True, False, True, True, False]
    assert met == ["connections_of_address", "connections"]
    connections.leave("192.0.2.1")
    assert connections.admit("192.0.2.3") and connections.count == 4
    assert counts == [1, 2, 3, 4, 3, 4]


def test_an_ipv6_network_of_64_bits_is_one_address() -> None:
    connections = Connections(0, 1)
    assert connections.admit("2001:db8::1") and not connections.admit("2001:db8::2")
    assert connections.admit("2001:db8:0:1::1")
    assert connections.admit("fe80::1%eth0") and not connections.admit("fe80::2%eth1")


def test_a_trusted_proxy_counts_in_the_total_only() -> None:
    connections = Connections(5, 1, Proxies([ip_network("10.0.0.0/8")]))
    assert [connections.admit("10.0.0.1") for _ in range(6)] == [True] * 5 + [False]


def test_a_limit_of_zero_is_none() -> None:
    connections = Connections(0, 0)
    assert all(connections.admit("192.0.2.1") for _ in range(500))


@pytest.fixture
def met() -> list[str]:
    return []


@pytest.fixture
def crowded(tmp_path: Path, met: list[str]) -> Iterator[Served]:
    """A host that takes three connections of an address and eight in all."""
    admitted = Connections(TOTAL, PER_ADDRESS, on_refused=met.append)
    service = make_service(sqlite_url(tmp_path))
    with serving(service, protocol=bounded(admitted=admitted)) as running:
        yield running


def _connect(served: Served, address: str = "127.0.0.1") -> socket.socket:
    source = (address, 0)
    return socket.create_connection(("127.0.0.1", served.port), 10, source_address=source)


def _is_taken(connection: socket.socket) -> bool:
    try:
        connection.sendall(HEALTH)
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def test_a_connection_past_the_cap_is_closed_and_counted(crowded: Served, met: list[str]) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(_connect(crowded)) for _ in range(PER_ADDRESS)]
        assert all(_is_taken(each) for each in opened)
        assert not _is_taken(stack.enter_context(_connect(crowded)))
        assert _is_taken(stack.enter_context(_connect(crowded, "127.0.0.2")))
    assert met == ["connections_of_address"]


def test_the_total_holds_over_all_addresses(crowded: Served, met: list[str]) -> None:
    with ExitStack() as stack:
        for number in range(TOTAL):
            assert _is_taken(stack.enter_context(_connect(crowded, f"127.0.0.{10 + number}")))
        assert not _is_taken(stack.enter_context(_connect(crowded, "127.0.0.99")))
    assert met == ["connections"]


def test_a_place_is_free_again_when_its_connection_ends(crowded: Served) -> None:
    for _ in range(3 * PER_ADDRESS):
        with _connect(crowded) as connection:
            wait_for(lambda connection=connection: _is_taken(connection))

        def free() -> bool:
            with _connect(crowded) as probe:
                return _is_taken(probe)

        assert wait_for(free)


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, wanted: limits.append(wanted))
    allow_open_files(100)
    assert limits == [(1024, 4096)]
    allow_open_files(2000)
    assert limits[-1] == (2000 + OTHER_FILES, 4096) and not caplog.records
    allow_open_files(10_000)
    assert limits[-1] == (4096, 4096) and "MAX_CONNECTIONS" in caplog.text
