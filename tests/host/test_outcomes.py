"""Callers that wait: what they are told, and what it costs that they wait."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.host.served import Served, serving
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, stub_of, wait_for
from webhook_service.driver import Done, Unchanged, Wait
from webhook_service.errors import Change, DriverError
from webhook_service.service import WebhookService
from webhook_service.telemetry.observer import CallersWaiting, Happening, Observer
from webhook_service.testing.samples import dockerhub_push

CHANGE = Change("Deployment shop/shop", "image", "a:1", "a:2")
OUTCOME = {"respond": "outcome", "verify": {"scheme": "none"}}
LONG = {"Prefer": "wait=30"}


def _call(client: httpx.Client, key: str, tag: str = "1", **headers: str) -> httpx.Response:
    query = {"key": key, "projectId": PROJECT}
    body = dockerhub_push("acme/shop", tag)
    return client.post("/v1-webhooks/endpoint", params=query, content=body, headers=headers)


@pytest.fixture
def asking(served: Served) -> str:
    """The key of a receiver whose calls are answered with their outcome."""
    return add_receiver(served.service, **OUTCOME)[1]


@pytest.mark.parametrize(
    ("step", "status", "outcome", "state"),
    [
        (Done((CHANGE,), "rolled out"), 200, "succeeded", "succeeded"),
        (Wait(60, {}, "tidying up", settled=True), 200, "succeeded", "succeeded"),
        (Unchanged("it runs already"), 200, "succeeded", "unchanged"),
        (DriverError("no pod became ready", code="not_ready"), 424, "failed", "failed"),
    ],
)
def test_the_answer_is_what_came_of_the_push(
    served: Served,
    stranger: httpx.Client,
    asking: str,
    step: Any,
    status: int,
    outcome: str,
    state: str,
) -> None:
    stub_of(served.service).steps = [step]
    answer = _call(stranger, asking)
    told = answer.json()
    assert (answer.status_code, told["outcome"]) == (status, outcome)
    assert (told["type"], told["state"]) == ("delivery", "accepted")
    (result,) = told["results"]
    assert [result["id"]] == told["executions"]
    assert result["state"] == state
    assert result["message"] == getattr(step, "message", getattr(step, "reason", None))


def test_the_changes_are_shown(served: Served, stranger: httpx.Client, asking: str) -> None:
    stub_of(served.service).steps = [Done((CHANGE,))]
    (result,) = _call(stranger, asking).json()["results"]
    shown = {"target": "Deployment shop/shop", "field": "image", "before": "a:1", "after": "a:2"}
    assert result["changes"] == [shown]


def test_a_receiver_that_answers_at_once_tells_a_waiting_caller_no_details(
    served: Served, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    stub_of(served.service).steps = [DriverError("Deployment shop/secret", code="not_ready")]
    answer = _call(stranger, receiver[1], **LONG)
    (result,) = answer.json()["results"]
    assert (answer.status_code, result["state"], result["reason"]) == (424, "failed", "not_ready")
    assert "secret" not in answer.text and not {"message", "changes"} & result.keys()
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_a_superseded_push_is_a_conflict(
    served: Served, stranger: httpx.Client, asking: str
) -> None:
    service = served.service
    stub_of(service).steps = [Wait(0.3, {}), Done()]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(_call, stranger, asking, "1")
        wait_for(lambda: service.store.executions.backlog().open.get("waiting"))
        second = pool.submit(_call, stranger, asking, "2")
        wait_for(lambda: service.store.executions.backlog().open.get("queued") == 1)
        third = pool.submit(_call, stranger, asking, "3")
        assert [first.result().status_code, third.result().status_code] == [200, 200]
        answer = second.result()
    (result,) = answer.json()["results"]
    assert (answer.status_code, answer.json()["outcome"]) == (409, "superseded")
    assert [result["supersededBy"]] == third.result().json()["executions"]


def test_a_cancelled_push_has_failed(
    served: Served, stranger: httpx.Client, owner: httpx.Client, asking: str
) -> None:
    service = served.service
    stub_of(service).steps = [Wait(60, {})]
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(_call, stranger, asking)
        wait_for(lambda: service.store.executions.backlog().open.get("waiting"))
        (execution,) = service.list_executions(PROJECT).items
        owner.post(f"/v1-webhooks/executions/{execution.id}/cancel").raise_for_status()
        assert (call.result().status_code, call.result().json()["outcome"]) == (424, "failed")


def test_a_push_that_is_still_running_is_answered_202(
    served: Served, stranger: httpx.Client, asking: str
) -> None:
    stub_of(served.service).steps = [Wait(60, {})]
    started = time.monotonic()
    answer = _call(stranger, asking, Prefer="wait=1")
    assert 0.9 < time.monotonic() - started < 10
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=1"
    told = answer.json()
    assert (told["outcome"], told["results"]) == ("pending", [])
    assert told["id"] in told["links"]["executions"]


def test_a_duplicate_waits_for_the_first_delivery_s_executions(
    served: Served, stranger: httpx.Client, asking: str
) -> None:
    stub_of(served.service).steps = [Wait(0.3, {}), DriverError("no")]
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(_call, stranger, asking) for _ in range(2))
        answers = [first.result(), second.result()]
    assert [answer.status_code for answer in answers] == [424, 424]
    assert {answer.json()["state"] for answer in answers} == {"accepted", "duplicate"}
    assert answers[0].json()["results"] == answers[1].json()["results"]
    assert _call(stranger, asking).elapsed.total_seconds() < 5


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0", "respond-async, wait=0"])
def test_a_caller_need_not_wait(
    served: Served, stranger: httpx.Client, asking: str, prefer: str
) -> None:
    stub_of(served.service).steps = [Wait(60, {})]
    answer = _call(stranger, asking, Prefer=prefer)
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    assert "outcome" not in answer.json()


def test_an_ignored_push_has_nothing_to_wait_for(served: Served, stranger: httpx.Client) -> None:
    match = {"tags": {"policy": "exact", "value": "9.9"}}
    _, key = add_receiver(served.service, match=match, **OUTCOME)
    answer = _call(stranger, key)
    assert (answer.status_code, answer.json()["reason"]) == (200, "tag_mismatch")


def test_no_call_waits_longer_than_is_allowed(tmp_path: Path) -> None:
    with serving(make_service(sqlite_url(tmp_path)), max_wait=0.3) as served:
        _, key = add_receiver(served.service, **OUTCOME)
        stub_of(served.service).steps = [Wait(60, {})] * 2
        with served.client(None) as stranger:
            for tag, headers in (("1", {}), ("2", {"Prefer": "wait=3600"})):
                answer = _call(stranger, key, tag, **headers)
                assert answer.status_code == 202
                assert answer.elapsed.total_seconds() < 5


def test_a_project_with_too_many_waiting_callers_is_told_so(tmp_path: Path) -> None:
    service = make_service(sqlite_url(tmp_path), run=False)
    with serving(service, max_waiting=1) as served, served.client(None) as client:
        _, key = add_receiver(served.service, **OUTCOME)
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(_call, client, key, "1", **LONG)
            wait_for(lambda: served.service.list_deliveries(PROJECT).items)
            wait_for(lambda: _call(client, key, "2", Prefer="wait=0.2").json().get("message"))
            more = _call(client, key, "2", **LONG)
            assert (more.status_code, more.json()["outcome"]) == (202, "pending")
            assert "has 1 callers that wait (the setting MAX_WAITING)" in more.json()["message"]
            served.end()
            assert "message" not in first.result(20).json()


def test_waiting_costs_neither_threads_nor_queries_for_each(
    served: Served, stranger: httpx.Client, asking: str
) -> None:
    stub_of(served.service).steps = [Wait(1.5, {}), Done()]
    count, asked = 40, []
    callers = Callers(served.service)

    def note(*args: object) -> None:
        if threading.current_thread().name.startswith("AnyIO"):
            asked.append(str(args[2]))

    with ThreadPoolExecutor(count, "caller") as pool:
        first = pool.submit(_call, stranger, asking)
        wait_for(lambda: served.service.store.executions.backlog().open.get("waiting"))
        others = [pool.submit(_call, stranger, asking) for _ in range(count - 1)]
        wait_for(lambda: callers.count == count)
        before = threading.active_count()
        event.listen(Engine, "before_cursor_execute", note)
        try:
            assert {call.result().status_code for call in [first, *others]} == {200}
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert before < threading.active_count() + 5
    assert len(asked) < 15


class Callers(Observer):
    """Knows how many callers wait."""

    def __init__(self, service: WebhookService) -> None:
        self.count = 0
        service.observers.add(self)

    def tell(self, happening: Happening) -> None:
        if isinstance(happening, CallersWaiting):
            self.count = happening.count


def test_a_caller_that_goes_away_is_forgotten(
    served: Served, asking: str, caplog: pytest.LogCaptureFixture
) -> None:
    stub_of(served.service).steps = [Wait(60, {})]
    with served.client(None) as impatient:
        impatient.timeout = httpx.Timeout(0.5)
        callers = Callers(served.service)
        with pytest.raises(httpx.ReadTimeout):
            _call(impatient, asking)
    wait_for(lambda: callers.count == 0)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_the_end_of_the_host_answers_who_waits(tmp_path: Path) -> None:
    with serving(make_service(sqlite_url(tmp_path))) as served:
        _, key = add_receiver(served.service, **OUTCOME)
        stub_of(served.service).steps = [Wait(60, {})]
        callers = Callers(served.service)
        with served.client(None) as stranger, ThreadPoolExecutor(1) as pool:
            call = pool.submit(_call, stranger, key)
            wait_for(lambda: callers.count == 1)
            started = time.monotonic()
            served.end()
            answer = call.result()
    assert (answer.status_code, answer.json()["outcome"]) == (202, "pending")
    assert answer.headers["Connection"] == "close"
    assert time.monotonic() - started < 5
