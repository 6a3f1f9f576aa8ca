"""Forks, loops, and many lives in one process: an application does these without knowing it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from threading import enumerate as threads

import httpx
import pytest
import trio
from asgiref.sync import async_to_sync, sync_to_async
from starlette.applications import Starlette

from tests.embedding.conftest import BODY, PROJECT, Folder
from tests.servers.postgres import Postgres
from tests.support import SECRET, wait_for
from webhook_service import Call, Settings, WebhookService
from webhook_service.host import build_app
from webhook_service.testing.kit.watching import descriptors, new_descriptors, new_threads

pytestmark = pytest.mark.timeout(300)
FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads
from webhook_service import Call, WebhookService
from webhook_service.errors import StoreUnavailable

project, key = sys.argv[1:]
service = WebhookService.open()
BEFORE
child = os.fork()
if child == 0:
    for use in (service.start, service.ping, lambda: service.accept(project, key, Call(b"{}"))):
        try:
            use()
        except StoreUnavailable as exc:
            print(exc.message, flush=True)
    assert service.is_stuck
    service.stop()
    os._exit(0)
os.waitpid(child, 0)
body = b'{"repository": {"repo_name": "acme/shop"}, "push_data": {"tag": "2"}}'
print(service.accept(project, key, Call(body)).state)
service.stop()
"""
WRITTEN = """service.accept(project, key, Call(
    b'{"repository": {"repo_name": "acme/shop"}, "push_data": {"tag": "1"}}'))"""
STARTED = "service.start()"


@pytest.mark.parametrize("before", ["", WRITTEN, STARTED], ids=["opened", "written", "started"])
def test_a_fork_is_refused_in_one_sentence_and_harms_not_the_parent(
    before: str, folder: Folder
) -> None:
    assert_refused(before, folder)


def test_a_fork_shares_no_connection_with_postgresql(folder: Folder, postgres: Postgres) -> None:
    folder.move_to(postgres.new_database())
    assert_refused(WRITTEN, folder)


def assert_refused(before: str, folder: Folder) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED.replace("BEFORE", before), PROJECT, folder.key],
        env=folder.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout.splitlines()
    assert len(said) == 4 and said[3] == "accepted", done.stdout + done.stderr
    assert said[0] == said[1] == said[2]
    assert said[0].startswith("This service was opened before its process forked")


def test_twenty_lives_leave_no_thread_and_no_descriptor(folder: Folder) -> None:
    live(folder)  # what is loaded once
    threads_before, open_before = set(threads()), descriptors()
    for _ in range(20):
        live(folder)
    assert new_threads(threads_before) == []
    assert new_descriptors(open_before) == []


def live(folder: Folder) -> None:
    with folder.open(run=True) as service:
        service.accept(PROJECT, folder.key, Call(BODY % 1))


def test_every_loop_is_answered_also_after_one_that_ended_in_a_call(folder: Folder) -> None:
    with folder.open(run=True) as service:

        async def accepted(number: int) -> str:
            delivery = await service.accept_async(PROJECT, folder.key, Call(BODY % number))
            return str(delivery.state)

        async def left_behind(number: int) -> None:
            asyncio.get_running_loop().create_task(accepted(number))
            await asyncio.sleep(0)

        assert asyncio.run(accepted(1)) == "accepted"
        asyncio.run(left_behind(2))
        assert [asyncio.run(accepted(number)) for number in (3, 4)] == ["accepted"] * 2
        states: list[str] = []
        loops = [
            Thread(target=lambda number=number: states.append(asyncio.run(accepted(number))))  # type: ignore[misc]
            for number in (5, 6, 7)
        ]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join(60)
        assert states == ["accepted"] * 3


def test_synchronous_code_of_an_asynchronous_framework_is_answered(folder: Folder) -> None:
    with folder.open(run=True) as service:
        wait_for_commit = async_to_sync(service.accept_async)

        def view(number: int) -> str:
            return str(wait_for_commit(PROJECT, folder.key, Call(BODY % number)).state)

        async def requests(*numbers: int) -> list[str]:
            """As Django runs synchronous views: each in a thread, with its loop elsewhere."""
            calls = [sync_to_async(view, thread_sensitive=False)(number) for number in numbers]
            return list(await asyncio.gather(*calls))

        assert [view(1), view(2)] == ["accepted"] * 2  # no loop runs: each call makes one
        assert asyncio.run(requests(3, 4, 5)) == ["accepted"] * 3
        assert view(6) == "accepted"


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_one_application_serves_several_loops(folder: Folder, debug: bool) -> None:
    service = folder.open(run=True)
    app = app_of(folder, service)
    service.start()

    def outcome(number: int) -> str:
        """What came of a call that waited for its end, on a loop of its own."""
        call = posted(folder, service, app, number, {"prefer": "wait=60"})
        return str(asyncio.run(call, debug=debug).json()["outcome"])

    one_by_one = [outcome(number) for number in range(3)]
    with ThreadPoolExecutor(3) as at_once:
        together = list(at_once.map(outcome, range(3, 6)))
    service.stop()
    assert one_by_one + together == ["succeeded"] * 6


def app_of(folder: Folder, service: WebhookService) -> Starlette:
    settings = Settings(database_url=folder.database_url, secret_key=SECRET)
    return build_app(settings, service)


async def posted(
    folder: Folder,
    service: WebhookService,
    app: Starlette | None = None,
    number: int = 1,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """A call, as a server that sends no lifespan events hands it over."""
    app = app or app_of(folder, service)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    url = f"http://test/v1-webhooks/endpoint?key={folder.key}&projectId={PROJECT}"
    async with httpx.AsyncClient(transport=transport, timeout=90) as client:
        return await client.post(url, content=BODY % number, headers=headers)


def test_without_lifespan_the_first_call_says_that_nothing_runs(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    service = folder.open(run=True)
    with caplog.at_level(logging.WARNING):
        states = [asyncio.run(posted(folder, service)).json()["state"] for _ in range(2)]
    assert states == ["accepted", "duplicate"]
    said = [line for line in caplog.messages if "nobody has started this service" in line]
    assert len(said) == 1
    service.start()  # as the sentence says
    assert wait_for(lambda: folder.states() == ["succeeded"], 60)
    service.stop()


def test_what_runs_nothing_on_purpose_says_nothing(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    service = folder.open(run=False)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(posted(folder, service)).json()["state"] == "accepted"
    assert "started" not in caplog.text
    service.stop()


def test_trio_is_refused_in_words(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    service = folder.open(run=True)
    answer = trio.run(posted, folder, service)
    assert answer.status_code == 500
    assert "this server runs it on trio: let the server use asyncio" in caplog.text
    app = app_of(folder, service)

    async def begun() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(RuntimeError, match="this server runs it on trio"):
        trio.run(begun)
    service.stop()
