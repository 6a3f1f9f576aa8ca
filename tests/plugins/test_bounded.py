"""Bounded calls: one that hangs is left behind, and of one owner only a few may hang."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from tests.support import wait_for
from webhook_service.errors import NotFound, Unavailable
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.plugins.bounded import (
    MAX_HANGING,
    MAX_OF_OWNER,
    BoundedCalls,
    CallLimit,
    is_ours,
)
from webhook_service.telemetry.observer import CallsHanging, Happening, Observer

LIMIT = CallLimit("A look", 0.05, "It did not answer.", "Others hang.")


class Told(Observer):
    def __init__(self) -> None:
        self.counts: list[int] = []

    def tell(self, happening: Happening) -> None:
        assert isinstance(happening, CallsHanging)
        self.counts.append(happening.count)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def _raise(exc: BaseException) -> None:
    raise exc


def test_what_a_call_returns_or_raises_reaches_its_caller_in_both_ways() -> None:
    bounded, limit = BoundedCalls(), CallLimit("A look", 10.0, "", "")
    assert bounded.run("p", lambda: 7, limit) == 7
    assert asyncio.run(bounded.run_async("p", lambda: 7, limit)) == 7
    for exc in (NotFound("gone"), TimeoutError("its own")):
        with pytest.raises(type(exc), match=str(exc)):
            bounded.run("p", lambda exc=exc: _raise(exc), limit)  # type: ignore[misc]
        with pytest.raises(type(exc), match=str(exc)):
            asyncio.run(bounded.run_async("p", lambda exc=exc: _raise(exc), limit))  # type: ignore[misc]
    assert bounded.hanging == 0


def test_a_call_that_hangs_is_given_up_counted_and_logged_with_its_place(
    released: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    bounded = BoundedCalls(told)
    with caplog.at_level(logging.ERROR):
        with pytest.raises(Unavailable, match="It did not answer."):
            bounded.run("p", released.wait, LIMIT)
        with pytest.raises(Unavailable, match="It did not answer."):
            asyncio.run(bounded.run_async("p", released.wait, LIMIT))
    assert told.counts == [1, 2]
    assert "A look was given up after 0.05 s; it hangs in wait (" in caplog.text
    released.set()
    assert wait_for(lambda: bounded.hanging == 0)
    assert wait_for(lambda: told.counts[-1] == 0)


def test_a_call_whose_caller_goes_away_is_counted_until_it_ends(released: threading.Event) -> None:
    bounded = BoundedCalls()

    async def scenario() -> None:
        limit = CallLimit("A look", 60.0, "", "")
        calling = asyncio.create_task(bounded.run_async("p", released.wait, limit))
        await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)

    asyncio.run(scenario())
    assert bounded.hanging == 1
    released.set()
    assert wait_for(lambda: bounded.hanging == 0)


def test_an_owner_with_hanging_calls_begins_no_more_and_others_do(
    released: threading.Event,
) -> None:
    bounded = BoundedCalls()
    for _ in range(MAX_OF_OWNER):
        with pytest.raises(Unavailable, match="It did not answer."):
            bounded.run("p", released.wait, LIMIT)
    with pytest.raises(Unavailable, match="Others hang."):
        bounded.run("p", lambda: 7, LIMIT)
    with pytest.raises(Unavailable, match="Others hang."):
        asyncio.run(bounded.run_async("p", lambda: 7, LIMIT))
    other = CallLimit("A request", 10.0, "", "")
    assert bounded.run("q", lambda: 7, LIMIT) == bounded.run("p", lambda: 7, other) == 7
    assert not bounded.is_stuck
    for number in range(MAX_HANGING - MAX_OF_OWNER):
        with pytest.raises(Unavailable):
            bounded.run(str(number), released.wait, LIMIT)
    assert bounded.is_stuck
    released.set()
    assert wait_for(lambda: bounded.hanging == 0)
    assert bounded.run("p", lambda: 7, LIMIT) == 7 and not bounded.is_stuck


def test_code_of_this_project_is_told_apart_from_that_of_others() -> None:
    class Foreign(DockerHub):
        pass

    assert is_ours(DockerHub()) and is_ours(DockerHub().parse)
    assert not is_ours(Foreign())


def test_closing_ends_the_threads_and_later_ones_end_by_themselves(
    released: threading.Event,
) -> None:
    before = set(threading.enumerate())
    bounded, limit = BoundedCalls(), CallLimit("A look", 10.0, "", "")
    assert bounded.run("p", lambda: 7, limit) == 7
    with pytest.raises(Unavailable):
        bounded.run("p", released.wait, LIMIT)
    assert set(threading.enumerate()) - before
    bounded.close()
    assert bounded.run("p", lambda: 7, limit) == 7
    released.set()
    assert wait_for(lambda: not set(threading.enumerate()) - before, 5)


def test_calls_one_after_the_other_share_one_thread() -> None:
    bounded, limit = BoundedCalls(), CallLimit("A look", 10.0, "", "")
    assert len({bounded.run("p", threading.get_ident, limit) for _ in range(50)}) == 1
    bounded.close()
