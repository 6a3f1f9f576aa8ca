"""Calls that the event loop decides on by itself: nothing is answered by what is no longer so."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.host.served import Served
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, wait_for
from webhook_service.model.delivery import Call
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.service import WebhookService
from webhook_service.store import async_intake
from webhook_service.store.database.write import LATE
from webhook_service.store.limits.limits import Limits
from webhook_service.store.limits.room import Room
from webhook_service.testing.samples import dockerhub_push


def call(client: httpx.Client, key: str, tag: str) -> httpx.Response:
    query = {"key": key, "projectId": PROJECT}
    return client.post(
        "/v1-webhooks/endpoint", params=query, content=dockerhub_push("acme/shop", tag)
    )


@pytest.fixture
def known(served: Served, stranger: httpx.Client, receiver: tuple[str, str]) -> tuple[str, str]:
    """A receiver that the host has taken a call for: it remembers its key."""
    assert call(stranger, receiver[1], "0").status_code == 200
    return receiver


@pytest.fixture
def elsewhere(served: Served, tmp_path: Path) -> Any:
    """Another process on the same database, as far as the host can tell."""
    with make_service(sqlite_url(tmp_path), run=False) as service:
        yield service


def _delete(service: WebhookService, receiver: str) -> None:
    service.delete_receiver(PROJECT, receiver)


def _rotate(service: WebhookService, receiver: str) -> None:
    service.rotate_key(PROJECT, receiver, timedelta(0))


@pytest.mark.parametrize("revoke", [_delete, _rotate])
def test_a_key_that_another_process_revokes_is_refused_from_the_next_call_on(
    served: Served,
    stranger: httpx.Client,
    known: tuple[str, str],
    elsewhere: WebhookService,
    revoke: Callable[[WebhookService, str], None],
) -> None:
    unknown = call(stranger, "whk_" + "A" * 43, "1")
    revoke(elsewhere, known[0])
    before = len(served.service.list_deliveries(PROJECT).items)
    for tag in ("1", "2"):
        answer = call(stranger, known[1], tag)
        assert (answer.status_code, answer.content) == (403, unknown.content)
    assert len(served.service.list_deliveries(PROJECT).items) == before


def test_what_another_process_changes_holds_from_the_next_call_on(
    stranger: httpx.Client, known: tuple[str, str], elsewhere: WebhookService
) -> None:
    elsewhere.suspend_receiver(PROJECT, known[0])
    assert call(stranger, known[1], "1").json()["reason"] == "suspended"
    elsewhere.resume_receiver(PROJECT, known[0])
    assert call(stranger, known[1], "1").json()["state"] == "accepted"


def test_calls_at_the_same_moment_are_answered_each_for_itself(
    served: Served, known: tuple[str, str]
) -> None:
    with served.client(None) as client, ThreadPoolExecutor(16) as threads:
        tags = [str(number) for number in range(1, 65)]
        answers = list(threads.map(lambda tag: call(client, known[1], tag).json(), tags))
    assert {answer["state"] for answer in answers} == {"accepted"}
    for tag, answer in zip(tags, answers, strict=True):
        (execution,) = answer["executions"]
        assert served.service.get_execution(PROJECT, execution).event.tag == tag  # type: ignore[union-attr]


def test_what_the_writer_refuses_is_sent_again(
    served: Served,
    stranger: httpx.Client,
    known: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served.service.store.database, "_max_queued", 0)
    answer = call(stranger, known[1], "1")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert answer.json()["message"] == "Too many writes are waiting; nothing was stored."


def test_a_full_receiver_is_refused_until_midnight_and_a_revoked_key_as_ever(
    served: Served,
    stranger: httpx.Client,
    known: tuple[str, str],
    elsewhere: WebhookService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = Limits(receiver_bytes_per_day=1)
    monkeypatch.setattr(
        served.service.store.intake, "_room", Room(elsewhere.store.database, limits)
    )
    assert call(stranger, known[1], "1").status_code == 200
    full = call(stranger, known[1], "2")
    assert (full.status_code, full.json()["code"]) == (429, "limit_reached")
    assert 0 < int(full.headers["Retry-After"]) <= 86400
    assert "the 1 bytes that it may store in a day" in full.json()["message"]
    assert len(served.service.list_deliveries(PROJECT).items) == 2
    elsewhere.delete_receiver(PROJECT, known[0])
    assert call(stranger, known[1], "3").status_code == 403


def test_a_full_disk_refuses_calls_and_readyz_tells_until_there_is_room(
    served: Served, stranger: httpx.Client, known: tuple[str, str]
) -> None:
    disk = served.service.store._room.disk
    disk._minimum, disk._next_look = 1 << 60, 0.0
    assert stranger.get("/readyz").status_code == 503
    refused = call(stranger, known[1], "1")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    assert "The disk of the database has less than" in refused.json()["message"]
    assert stranger.get("/healthz").status_code == 200
    disk._minimum, disk._next_look = 1, 0.0
    # All callers share one look a second.
    wait_for(lambda: stranger.get("/readyz").text == "ok\n")
    assert call(stranger, known[1], "1").json()["state"] == "accepted"


def test_a_write_that_fails_or_comes_too_late_is_sent_again(
    served: Served,
    stranger: httpx.Client,
    known: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(async_intake, "WRITE_TIMEOUT", 0.2)
    served.service.store.database.submit(lambda connection, items: [gate.wait(20)], None)
    late = call(stranger, known[1], "1")
    gate.set()
    assert (late.status_code, "Retry-After" in late.headers) == (503, True)
    assert late.json()["message"] == LATE


def test_a_scheme_that_may_wait_holds_up_no_other_call(
    served: Served, stranger: httpx.Client, known: tuple[str, str]
) -> None:
    asked, gate = threading.Event(), threading.Event()

    class Waiting(Scheme):
        def check(self, call: Call, options: SchemeOptions) -> None:
            asked.set()
            assert gate.wait(20)

    served.service.schemes.add("waiting", Waiting)
    _, slow = add_receiver(served.service, name="slow", verify={"scheme": "waiting"})
    with ThreadPoolExecutor(1) as threads, served.client(None) as other:
        answer: Future[httpx.Response] = threads.submit(call, other, slow, "1")
        assert asked.wait(10)
        assert call(stranger, known[1], "2").json()["state"] == "accepted"
        gate.set()
        assert answer.result(20).json()["state"] == "accepted"
