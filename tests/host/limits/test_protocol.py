"""However a request is cut into segments, it is read in one way only, and within the limits."""

from collections.abc import Callable, Iterator

import pytest

from tests.host.limits.corpus import (
    ACCEPTED,
    BODY,
    CHUNKED,
    H2C,
    INNER,
    LINES,
    REFUSED,
    SMUGGLED,
    WEBSOCKET,
    request,
)
from tests.host.limits.wire import Wire, wires
from webhook_service.host.limits.protocol import SLICE, BoundedProtocol, bounded

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED_HEAD = request(b"/a", (b"HTTP/1.1", [b"Host: h", CHUNKED], b""))
KIB = 1024


@pytest.fixture(scope="module")
def connect() -> Iterator[Callable[[], Wire]]:
    with wires() as connect:
        yield connect


def _cuts(sent: bytes) -> Iterator[list[bytes]]:
    """The whole, cut in two at every byte, and byte by byte; long ones at their ends only."""
    yield [sent]
    ends = range(1, len(sent)) if len(sent) < KIB else [*range(1, 300), *range(-300, 0)]
    yield from ([sent[:cut], sent[cut:]] for cut in ends)
    if len(sent) < KIB:
        yield [sent[at : at + 1] for at in range(len(sent))]


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_body_stays_whole_wherever_it_is_cut(connect: Callable[[], Wire], name: str) -> None:
    for segments in _cuts(request(b"/a", ACCEPTED[name])):
        wire = connect()
        assert wire.send(segments) == ["200"]
        assert [(read.path, read.body) for read in wire.read] == [("/a", BODY)]


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_body_is_never_the_next_request(connect: Callable[[], Wire], name: str) -> None:
    for segments in _cuts(SMUGGLED[name]):
        wire = connect()
        statuses = wire.send(segments)
        assert statuses in (["200"], ["100", "200"]) and len(wire.read) == 1
        assert (wire.read[0].path, wire.read[0].body.endswith(INNER)) == ("/healthz", True)


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("host with")])
def test_what_is_ambiguous_is_refused_wherever_it_is_cut(
    connect: Callable[[], Wire], name: str
) -> None:
    sent = request(b"/a", REFUSED[name])
    for segments in _cuts(sent):
        wire = connect()
        assert wire.send(segments) == ["400"]
        assert wire.transport.closed and not wire.read


@pytest.mark.parametrize("name", [name for name in LINES if name.startswith("connect")])
def test_connect_is_refused_and_nothing_behind_it_read(
    connect: Callable[[], Wire], name: str
) -> None:
    for segments in _cuts(LINES[name][0] + HEALTH):
        wire = connect()
        assert wire.send(segments) == ["400"]
        assert wire.transport.closed and not wire.read


def test_the_connection_goes_on_after_each_kind_of_request(connect: Callable[[], Wire]) -> None:
    kinds = [request(b"/a", each) for each in ACCEPTED.values() if each[0] == b"HTTP/1.1"]
    sent = b"".join(one + HEALTH for one in kinds)
    wire = connect()
    assert wire.send([one + HEALTH for one in kinds]) == ["200"] * (2 * len(kinds))
    wire = connect()
    assert wire.send(sent[at : at + 7] for at in range(0, len(sent), 7)) == ["200"] * (
        2 * len(kinds)
    )
    assert [read.path for read in wire.read] == ["/a", "/healthz"] * len(kinds)


def test_the_application_sees_the_upgrade_s_other_headers(connect: Callable[[], Wire]) -> None:
    wire = connect()
    wire.send([request(b"/a", (b"HTTP/1.1", [b"Host: h", *H2C, b"X: 1", b"X: 2"], b""))])
    names = [name for name, _ in wire.read[0].headers]
    assert names == ["host", "connection", "http2-settings", "x", "x"]


@pytest.mark.parametrize("upgrade", [[], H2C, WEBSOCKET])
def test_a_trailer_is_never_a_header(connect: Callable[[], Wire], upgrade: list[bytes]) -> None:
    trailers = b"ssl-client-verify: SUCCESS\r\nX-Forwarded-For: 10.1.1.1\r\nHost: evil\r\n"
    body = b"1\r\na\r\n0\r\n" + trailers + b"\r\n"
    parts = b"HTTP/1.1", [b"Host: h", *upgrade, CHUNKED], body
    for segments in _cuts(request(b"/a", parts) + HEALTH):
        wire = connect()
        assert wire.send(segments) == ["200", "200"]
        names = {name for read in wire.read for name, _ in read.headers}
        assert names.isdisjoint({"ssl-client-verify", "x-forwarded-for"})
        assert "evil" not in dict(wire.read[1].headers)["host"]


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "request line": (b"GET /", b"a"),
    "method": (b"", b"G"),
    "empty lines": (b"", b"\r\n"),
    "empty lines behind a request": (HEALTH, b"\r\n"),
    "header's name": (b"GET / HTTP/1.1\r\n", b"a"),
    "header": (b"GET / HTTP/1.1\r\nX: ", b"a"),
    "headers": (b"GET / HTTP/1.1\r\n", b"a:\r\n"),
    "spaces before a header": (b"GET / HTTP/1.1\r\nX:", b" "),
    "chunk size": (CHUNKED_HEAD, b"0"),
    "chunk extension": (CHUNKED_HEAD + b"5;", b"a"),
    "chunk extension with a value": (CHUNKED_HEAD + b"5;a=", b"b"),
    "chunk extensions": (CHUNKED_HEAD, b"1;" + b"a" * 200 + b"\r\na\r\n"),
    "trailer's name": (CHUNKED_HEAD + b"0\r\n", b"a"),
    "trailer": (CHUNKED_HEAD + b"0\r\nX: ", b"a"),
    "trailers": (CHUNKED_HEAD + b"0\r\n", b"a:\r\n"),
    "trailer behind a body": (CHUNKED_HEAD + b"fff\r\n" + b"a" * 4095 + b"\r\n0\r\nX: ", b"a"),
    "trailer of an upgrade": (
        request(b"/a", (b"HTTP/1.1", [b"Host: h", *WEBSOCKET, CHUNKED], b"0\r\nX: ")),
        b"a",
    ),
}


@pytest.mark.parametrize("size", [1, 7, 100, 64 * KIB])
@pytest.mark.parametrize("name", ENDLESS)
def test_each_phase_of_a_request_has_an_end(
    connect: Callable[[], Wire], name: str, size: int
) -> None:
    begin, more = ENDLESS[name]
    wire = connect()
    wire.send([begin])
    sent, segment = 0, more * max(1, size // len(more))
    while not wire.transport.closed and sent < 128 * KIB:
        wire.protocol.data_received(segment)
        sent += len(segment)
    assert wire.transport.closed
    assert sent <= max(len(segment), BoundedProtocol.head_bytes + 2 * SLICE)


def test_a_body_in_chunks_of_one_byte_is_read(connect: Callable[[], Wire]) -> None:
    wire = connect()
    assert wire.send([CHUNKED_HEAD, b"1\r\na\r\n" * 50_000, b"0\r\n\r\n"]) == ["200"]
    assert wire.read[0].body == b"a" * 50_000


def test_a_large_body_does_not_count_as_the_next_head(connect: Callable[[], Wire]) -> None:
    body = b"a" * 100_000
    one = request(b"/a", (b"HTTP/1.1", [b"Host: h", b"Content-Length: 100000"], body))
    wire = connect()
    assert wire.send([one + HEALTH[:10], HEALTH[10:]]) == ["200", "200"]


def test_a_body_that_nobody_reads_is_cut_off() -> None:
    with wires(bounded(body_bytes=10_000)) as connect:
        wire = connect()
        head = request(b"/a", (b"HTTP/1.1", [b"Host: h", b"Content-Length: 99999"], b""))
        wire.send([head, b"a" * 9_999])
        assert not wire.transport.closed
        wire.send([b"a" * 9_999])
        assert wire.transport.closed


def test_requests_that_wait_for_their_turn_are_counted() -> None:
    with wires(bounded(waiting=3)) as connect:
        assert connect().send([HEALTH * 4]) == ["200"] * 4
        wire = connect()
        assert wire.send([HEALTH * 400]) == ["200"] * 4
        assert wire.transport.closed and len(wire.read) == 4


def test_a_bad_request_behind_a_good_one_takes_no_answer_from_it(
    connect: Callable[[], Wire],
) -> None:
    wire = connect()
    assert wire.send([HEALTH + b"\x00\x01\r\n\r\n" + HEALTH]) == ["200"]
    assert wire.transport.closed and len(wire.read) == 1


def test_a_bad_end_of_a_body_that_was_answered_already_has_no_second_answer() -> None:
    with wires() as connect:
        wire = connect()
        wire.send([CHUNKED_HEAD])
        wire.protocol.cycle.response_started = wire.protocol.cycle.response_complete = True
        assert wire.send([b"zz\r\n"]) == []
        assert wire.transport.closed
