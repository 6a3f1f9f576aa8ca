"""The writer of Events: steps do not wait for it, and what it cannot send it counts and says."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.support import wait_for
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_drivers.kubernetes.events.writer import EventWriter
from webhook_service import Retry


class Api:
    """Answers with a status, when its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.status = 201
        self.sent: list[str] = []

    def __call__(self, ask: ApiRequest) -> ApiReply:
        assert self.gate.wait(30)
        if not self.status:
            raise Retry("The API of cluster moon does not answer.", code="unreachable")
        self.sent.append(ask.path)
        return ApiReply(self.status, {}, b"said\nso")


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.gate.set()


def event(number: int) -> ApiRequest:
    return ApiRequest(method="POST", path=str(number), headers={})


def put(writer: EventWriter, count: int) -> Sequence[str]:
    for number in range(count):
        writer.put(event(number))
    return [str(number) for number in range(count)]


def test_nobody_waits_and_the_order_stays(api: Api) -> None:
    api.gate.clear()
    writer = EventWriter("moon", api)
    expected = put(writer, 50)
    assert not api.sent
    api.gate.set()
    writer.close(30)
    assert (api.sent, writer.lost) == (expected, 0)


def test_no_thread_begins_before_the_first_event(api: Api) -> None:
    before = threading.active_count()
    EventWriter("moon", api).close(0)
    assert threading.active_count() == before


def test_one_that_exists_already_is_none_that_is_lost(api: Api) -> None:
    api.status = 409
    writer = EventWriter("moon", api)
    put(writer, 2)
    writer.close(30)
    assert writer.lost == 0


@pytest.mark.parametrize(
    ("status", "why"), [(403, "403: said so"), (500, "500: said so"), (0, "does not answer")]
)
def test_what_the_cluster_does_not_take_is_counted_and_said_with_all_of_it_by_the_end(
    api: Api, caplog: pytest.LogCaptureFixture, status: int, why: str
) -> None:
    api.status = status
    writer = EventWriter("moon", api)
    put(writer, 3)
    writer.close(30)
    assert writer.lost == 3
    first, rest = (record.getMessage() for record in caplog.records)
    assert first.startswith("1 Events were not written to cluster moon: ") and why in first
    assert rest.startswith("2 Events were not written to cluster moon: ")


def test_what_finds_no_room_is_counted_and_said(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.gate.clear()
    writer = EventWriter("moon", api, room=2)
    put(writer, 1)
    wait_for(lambda: not writer._waiting)  # it is being sent
    put(writer, 3)
    assert writer.lost == 1 and "2 wait already" in caplog.text
    api.gate.set()
    writer.close(30)
    assert (len(api.sent), writer.lost) == (3, 1)


def test_a_cluster_that_hangs_holds_the_end_up_for_the_limit_only(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.gate.clear()
    writer = EventWriter("moon", api)
    put(writer, 5)
    wait_for(lambda: len(writer._waiting) == 4)
    started = time.monotonic()
    writer.close(0.2)
    assert 0.2 <= time.monotonic() - started < 10
    assert writer.lost == 4 and "4 Events were not written" in caplog.text


def test_what_comes_after_the_end_is_counted(api: Api) -> None:
    writer = EventWriter("moon", api)
    writer.close(1)
    put(writer, 2)
    assert (api.sent, writer.lost) == ([], 2)


def test_a_fault_of_the_code_ends_no_writer(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    def broken_once(ask: ApiRequest) -> ApiReply:
        sent.append(ask.path)
        if len(sent) == 1:
            raise TypeError("no")
        return ApiReply(201, {}, b"")

    exchange: Callable[[ApiRequest], ApiReply] = broken_once
    writer = EventWriter("moon", exchange)
    put(writer, 2)
    writer.close(30)
    assert (len(sent), writer.lost) == (2, 1) and "TypeError" in caplog.text
