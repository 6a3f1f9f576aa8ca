"""What a request looks like on the wire: one clear answer each, and never two to one request."""

import socket

import pytest

from tests.host.limits.corpus import (
    ACCEPTED,
    LENGTH,
    LINES,
    REFUSED,
    SMUGGLED,
    TARGET,
    request,
    statuses,
)
from tests.host.served import Served
from tests.support import add_receiver


@pytest.fixture(scope="module")
def target(shared: Served) -> bytes:
    _, key = add_receiver(shared.service, name="framing")
    return TARGET % key.encode()


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_well_formed_call_is_accepted(shared: Served, target: bytes, name: str) -> None:
    assert statuses(shared.port, request(target, ACCEPTED[name])) == ["200"]


@pytest.mark.parametrize("name", [name for name in ACCEPTED if "h2c" in name or "web" in name])
def test_an_upgrade_keeps_its_body_in_a_segment_of_its_own(
    shared: Served, target: bytes, name: str
) -> None:
    head, _, body = request(target, ACCEPTED[name]).partition(b"\r\n\r\n")
    assert statuses(shared.port, head + b"\r\n\r\n", body) == ["200"]


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_body_is_never_read_as_a_request(shared: Served, name: str) -> None:
    head, _, body = SMUGGLED[name].partition(b"\r\n\r\n")
    assert statuses(shared.port, SMUGGLED[name]) == ["404"]
    assert statuses(shared.port, head + b"\r\n\r\n", body) == ["404"]


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_call_is_refused_once(shared: Served, target: bytes, name: str) -> None:
    assert statuses(shared.port, request(target, REFUSED[name])) == ["400"]


@pytest.mark.parametrize("name", LINES)
def test_an_odd_request_has_one_plain_answer(shared: Served, name: str) -> None:
    sent, status = LINES[name]
    assert statuses(shared.port, sent) == [status]


def test_pipelined_calls_are_answered_one_by_one(shared: Served, target: bytes) -> None:
    call = request(target, ACCEPTED["content length"])
    assert statuses(shared.port, call * 3) == ["200"] * 3


def test_an_answer_without_100_continue_ends_the_connection(shared: Served) -> None:
    """The caller may send the body behind it, or not: nobody knows where the next one begins."""
    head = b"POST /nothing HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + LENGTH
    with socket.create_connection(("127.0.0.1", shared.port), timeout=4) as connection:
        connection.sendall(head + b"\r\n\r\n")
        received = b""
        while data := connection.recv(65_536):
            received += data
    assert received.startswith(b"HTTP/1.1 404 ")
