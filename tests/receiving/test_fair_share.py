"""Projects share places: who waits for slow servers keeps no other project waiting."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import add_receiver, make_service, sqlite_url
from webhook_service.errors import IssuerUnavailable, Unavailable
from webhook_service.host.api.callers.threads import Threads, current_project
from webhook_service.model.delivery import Call
from webhook_service.plugins.bounded import BoundedCalls
from webhook_service.receiving.fair_share import FairShare
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.service import SLOW_CALLS, WebhookService
from webhook_service.testing.samples import dockerhub_push


def test_one_project_takes_a_quarter_and_all_together_no_more_than_there_are() -> None:
    share = FairShare(8)
    assert [share.take("a") for _ in range(3)] == [True, True, False]
    assert [share.take(project) for project in "bbccdde"] == [True] * 6 + [False]
    share.leave("a")
    assert [share.take("b"), share.take("e"), share.take("a")] == [False, True, False]


def test_a_few_places_give_each_project_one() -> None:
    share = FairShare(2)
    assert [share.take("a"), share.take("a"), share.take("b")] == [True, False, True]


def test_a_place_goes_to_those_who_wait_in_turn() -> None:
    async def scenario() -> list[str]:
        share, came = FairShare(1), list[str]()

        async def visit(project: str) -> None:
            async with share.place(project):
                came.append(project)
                await asyncio.sleep(0)

        await asyncio.gather(*[visit(project) for project in "aaabbc"])
        assert share.take("x")
        return came

    assert "".join(asyncio.run(scenario())) == "aabcab"


def test_whoever_waits_too_long_or_is_cancelled_leaves_no_trace() -> None:
    async def scenario() -> None:
        share = FairShare(1, patience=0.01)
        async with share.place("a"):
            with pytest.raises(Unavailable, match="Too many requests of this project wait"):
                await asyncio.wait_for(share.place("a").__aenter__(), 5)
            share._patience = 60
            waiting = asyncio.create_task(share.place("b").__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with share.place("c"):
            late = asyncio.create_task(share.place("b").__aenter__())
            await asyncio.sleep(0)
        late.cancel()  # in the same moment it is given the place
        await asyncio.gather(late, return_exceptions=True)
        assert share.take("a")

    asyncio.run(scenario())


class Hanging(Scheme[SchemeOptions]):
    """Waits for an issuer that does not answer, in the calls that have no header."""

    released = threading.Event()
    hang = 0

    def check(self, call: Call, options: SchemeOptions) -> None:
        if "quick" not in call.headers:
            type(self).hang += 1
            self.released.wait(30)
            raise IssuerUnavailable("away", 1)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    Hanging.released.clear()
    Hanging.hang = 0
    made = make_service(sqlite_url(tmp_path), run=False)
    made.schemes.add("hanging", Hanging)
    try:
        yield made
    finally:
        Hanging.released.set()
        made.stop()


def test_the_slow_issuer_of_one_project_keeps_no_other_project_waiting(
    service: WebhookService,
) -> None:
    keys = {
        project: add_receiver(service, project, verify={"scheme": "hanging"})[1]
        for project in ("slow", "good")
    }

    async def scenario() -> None:
        body = dockerhub_push("acme/shop", "1")
        calls = [
            asyncio.create_task(service.accept_async("slow", keys["slow"], Call(body)))
            for _ in range(4 * SLOW_CALLS)
        ]
        while Hanging.hang < SLOW_CALLS // 4:
            await asyncio.sleep(0.01)
        good = Call(body, {"quick": "yes"})
        told = await asyncio.wait_for(service.accept_async("good", keys["good"], good), 10)
        assert told.executions
        assert Hanging.hang == SLOW_CALLS // 4
        Hanging.released.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, Unavailable) for each in ended)

    asyncio.run(scenario())


def test_the_slow_cluster_of_one_project_keeps_no_other_ones_requests_waiting() -> None:
    released, begun = threading.Event(), list[int]()

    def hang() -> None:
        begun.append(1)
        released.wait(30)

    async def request(threads: Threads, project: str, function: Any) -> Any:
        current_project.set(project)
        return await threads.call(function)

    async def scenario() -> None:
        threads = Threads(BoundedCalls(), 8)
        slow = [asyncio.create_task(request(threads, "slow", hang)) for _ in range(20)]
        while len(begun) < 2:
            await asyncio.sleep(0.01)
        task = asyncio.create_task(request(threads, "good", lambda: "done"))
        assert await asyncio.wait_for(task, 5) == "done"
        assert await asyncio.wait_for(threads.call(lambda: "who"), 5) == "who"
        assert len(begun) == 2
        released.set()
        await asyncio.gather(*slow)

    asyncio.run(scenario())
