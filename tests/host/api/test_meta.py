"""Whoever asks whether the service is ready costs the database little."""

import asyncio
import threading
from typing import NoReturn

import pytest

from webhook_service.errors import StoreUnavailable
from webhook_service.host.api.meta import READY_SECONDS, Readiness

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_many_who_ask_at_once_cost_one_ping() -> None:
    pings: list[int] = []
    open_ = threading.Event()

    def ping() -> None:
        pings.append(1)
        open_.wait(10)

    readiness = Readiness(ping, lambda: 1000.0 * len(pings))
    asking = [asyncio.ensure_future(readiness.check()) for _ in range(100)]
    await asyncio.sleep(0)
    open_.set()
    await asyncio.gather(*asking)
    assert pings == [1]


async def test_the_database_is_asked_again_after_a_second() -> None:
    pings: list[int] = []
    now = [0.0]
    readiness = Readiness(lambda: pings.append(1), lambda: now[0])
    for moment in (0.0, READY_SECONDS / 2, READY_SECONDS, READY_SECONDS * 1.5):
        now[0] = moment
        await readiness.check()
    assert len(pings) == 2


async def test_who_asks_soon_after_a_failure_is_told_the_same() -> None:
    pings: list[int] = []

    def ping() -> NoReturn:
        pings.append(1)
        raise StoreUnavailable("The database does not answer.")

    readiness = Readiness(ping, lambda: 0.0)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await readiness.check()
    assert pings == [1]


async def test_a_caller_that_goes_away_takes_the_answer_from_nobody() -> None:
    open_ = threading.Event()
    readiness = Readiness(lambda: (open_.wait(10), None)[1], lambda: 0.0)
    first, second = (asyncio.ensure_future(readiness.check()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    open_.set()
    await second
    assert first.cancelled() and second.exception() is None
