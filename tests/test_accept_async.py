"""accept_async: what an event loop decides by itself, and what it leaves to a thread."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service import Call, Delivery, StoreUnavailable, Unauthenticated, UnknownKey
from webhook_service.driver import PushEvent
from webhook_service.formats.auto import Auto
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.model.delivery import Decision
from webhook_service.receiving import cache
from webhook_service.receiving.gate import QUICK_BODY
from webhook_service.schemes import Scheme, SchemeOptions
from webhook_service.schemes.gitlab import GitLab
from webhook_service.service import WebhookService
from webhook_service.store import async_intake
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver

T = TypeVar("T")


class ForeignScheme(Scheme):
    """Says that it only computes; nobody knows."""

    computes_only = True

    def check(self, call: Call, options: SchemeOptions) -> None:
        return None


class ForeignFormat(DockerHub):
    """Reads calls by other people's code, and claims none."""

    def claims(self, body: object, headers: Any) -> bool:
        return False


class ForeignDriver(StubDriver):
    """Names slots by other people's code."""

    def slot(self, config: Any, event: PushEvent) -> str:
        return "slot"


class Watched:
    """A service whose calls in threads are counted."""

    def __init__(self, service: WebhookService) -> None:
        self.service = service
        self.in_threads = 0
        self._decide = service._decide
        service._decide = self._counted  # type: ignore[method-assign]

    def _counted(self, project: str, key: str, call: Call) -> Decision:
        assert threading.current_thread() is not threading.main_thread()
        self.in_threads += 1
        return self._decide(project, key, call)

    def takes(self, key: str, call: Call, project: str = PROJECT) -> int:
        """Accept a call; gives how many threads that took."""
        before = self.in_threads
        delivery = asyncio.run(self.service.accept_async(project, key, call))
        assert self.service.get_delivery(project, delivery.id).id == delivery.id
        return self.in_threads - before


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        service.schemes.add("gitlab", GitLab)
        service.schemes.add("foreign", ForeignScheme)
        service.formats.add("foreign", ForeignFormat)
        service.formats.add("auto", Auto)
        service.drivers.add("foreign", ForeignDriver)
        yield Watched(service)


def call_of(tag: str = "1.2.3", headers: Any = None, **fields: Any) -> Call:
    return Call(dockerhub_push("acme/shop", tag, **fields), headers or {})


def test_a_receiver_that_is_remembered_needs_no_thread(watched: Watched) -> None:
    _, key = add_receiver(watched.service)
    assert watched.takes(key, call_of("1")) == 1
    assert watched.takes(key, call_of("2")) == 0


def test_what_was_remembered_of_a_deleted_receiver_lets_nothing_pass(watched: Watched) -> None:
    receiver, key = add_receiver(watched.service)
    assert watched.takes(key, call_of("1")) == 1
    watched.service.delete_receiver(PROJECT, receiver)
    with pytest.raises(UnknownKey):
        watched.takes(key, call_of("2"))


@pytest.mark.parametrize("key", [None, b"whk_1", 1])
def test_what_is_no_text_is_an_unknown_key(watched: Watched, key: Any) -> None:
    with pytest.raises(UnknownKey):
        watched.service.accept(PROJECT, key, Call(b"{}"))
    with pytest.raises(UnknownKey):
        asyncio.run(watched.service.accept_async(PROJECT, key, Call(b"{}")))


def test_a_key_means_nothing_in_another_project(watched: Watched) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("1"))
    with pytest.raises(UnknownKey):
        watched.takes(key, call_of("2"), "other")


def test_a_refusal_is_never_told_by_what_is_remembered(watched: Watched) -> None:
    verify = {"scheme": "gitlab", "secret": "old"}
    receiver, key = add_receiver(watched.service, verify=verify)
    watched.takes(key, call_of("1", {"x-gitlab-token": "old"}))
    assert watched.takes(key, call_of("2", {"x-gitlab-token": "old"})) == 0
    watched.service.update_receiver(PROJECT, receiver, {"verify": verify | {"secret": "new"}})
    assert watched.takes(key, call_of("3", {"x-gitlab-token": "new"})) == 1
    with pytest.raises(Unauthenticated):
        watched.takes(key, call_of("4", {"x-gitlab-token": "old"}))


@pytest.mark.parametrize(("size", "threads"), [(1, 0), (QUICK_BODY + 1, 1)])
def test_a_large_body_is_read_in_a_thread(watched: Watched, size: int, threads: int) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("1"))
    assert watched.takes(key, call_of("2", pusher="a" * size)) == threads


@pytest.mark.parametrize(
    "parts",
    [
        {"verify": {"scheme": "foreign"}},
        {"source": {"format": "foreign"}},
        {"source": {"format": "auto", "formats": ["dockerhub", "harbor"]}},
        {"driver": "foreign", "foreignConfig": {}},
    ],
    ids=["scheme", "format", "one of several formats", "driver that names slots"],
)
def test_code_of_others_is_called_in_a_thread(watched: Watched, parts: Any) -> None:
    watched.service.formats.add("harbor", ForeignFormat)
    _, key = add_receiver(watched.service, **{"verify": {"scheme": "none"}} | parts)
    assert [watched.takes(key, call_of(tag)) for tag in "12"] == [1, 1]


def test_the_oldest_receivers_are_forgotten_and_found_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_COMPILED", 2)
    keys = [add_receiver(watched.service, name=str(number))[1] for number in range(3)]
    for key in keys:
        watched.takes(key, call_of("1"))
    threads = [watched.takes(key, call_of("9")) for key in (*keys[1:], keys[0])]
    assert threads == [0, 0, 1]


def test_loops_in_several_threads_are_answered_each_for_itself(watched: Watched) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("0"))

    async def many(prefix: str) -> set[str]:
        calls = [watched.service.accept_async(PROJECT, key, call_of(f"{prefix}{n}")) for n in "012"]
        return {delivery.id for delivery in await asyncio.gather(*calls)}

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda prefix: asyncio.run(many(prefix)), "abcd"))
    assert len(set[str]().union(*found)) == 12


async def _given_up(waiting: Awaitable[T]) -> None:
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_caller_that_gives_up_harms_no_other(watched: Watched) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("0"))

    async def both() -> Delivery:
        other = asyncio.ensure_future(watched.service.accept_async(PROJECT, key, call_of("2")))
        await _given_up(watched.service.accept_async(PROJECT, key, call_of("1")))
        return await other

    assert asyncio.run(both()).state == "accepted"


def test_a_fault_at_the_writer_reaches_every_caller_of_the_turn(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("0"))

    def fail(decision: object) -> None:
        raise LookupError("a fault that nobody foresaw")

    intake = async_intake.AsyncIntake(lambda _: None, fail)  # type: ignore[arg-type]
    monkeypatch.setattr(watched.service, "_async_intake", intake)

    async def both() -> list[BaseException | Delivery]:
        calls = [watched.service.accept_async(PROJECT, key, call_of(tag)) for tag in "12"]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer) for answer in asyncio.run(both())] == [LookupError, LookupError]


def test_a_commit_that_comes_too_late_is_told_as_such(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = add_receiver(watched.service)
    watched.takes(key, call_of("0"))
    gate = threading.Event()
    monkeypatch.setattr(async_intake, "WRITE_TIMEOUT", 0.2)
    watched.service.store.database.submit(lambda connection, items: [gate.wait(20)], None)
    with pytest.raises(StoreUnavailable, match="in time"):
        watched.takes(key, call_of("1"))
    gate.set()
