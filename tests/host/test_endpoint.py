"""The endpoint: what senders are answered, and what is left in the log."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.host.served import Served, get, serving
from tests.host.v16_drivers import OnRequest
from tests.support import (
    PROJECT,
    add_receiver,
    make_service,
    sqlite_url,
    wait_for,
    wait_for_end,
)
from webhook_service.driver import DriverConfig, Request
from webhook_service.errors import StoreUnavailable
from webhook_service.formats.azure import Azure
from webhook_service.model.ids import new_key
from webhook_service.testing.samples import dockerhub_push

PUSH = dockerhub_push("acme/shop", "1.2.3")
JWT = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl"


def _call(
    client: httpx.Client, key: str, body: bytes = PUSH, project: str = PROJECT, slash: str = ""
) -> httpx.Response:
    query = {"key": key, "projectId": project}
    return client.post(f"/v1-webhooks/endpoint{slash}", params=query, content=body)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_push_is_accepted_and_executed(
    served: Served, stranger: httpx.Client, receiver: tuple[str, str], slash: str
) -> None:
    answer = _call(stranger, receiver[1], slash=slash)
    assert answer.status_code == 200
    told = answer.json()
    assert told["type"] == "delivery"
    assert (told["state"], told["reason"], told["actions"]) == ("accepted", None, {})
    (execution,) = told["executions"]
    assert wait_for_end(served.service, execution).state == "succeeded"


def test_the_links_lead_to_the_delivery(
    owner: httpx.Client, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    told = _call(stranger, receiver[1]).json()
    assert owner.get(told["links"]["self"]).json()["id"] == told["id"]
    (execution,) = owner.get(told["links"]["executions"]).json()["data"]
    assert [execution["id"]] == told["executions"]


def test_a_duplicate_bears_the_first_delivery_s_id(
    stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    first, second = _call(stranger, receiver[1]).json(), _call(stranger, receiver[1]).json()
    assert second["state"] == "duplicate"
    assert (second["id"], second["executions"]) == (first["id"], first["executions"])
    assert second["links"] == first["links"]


def test_an_ignored_push_says_why(served: Served, stranger: httpx.Client) -> None:
    rule = {"tags": {"policy": "exact", "value": "9.9"}}
    _, key = add_receiver(served.service, match=rule, verify={"scheme": "none"})
    told = _call(stranger, key).json()
    assert (told["state"], told["reason"], told["executions"]) == ("ignored", "tag_mismatch", [])


def test_unknown_revoked_and_malformed_keys_answer_the_same_bytes(
    served: Served, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    id_, key = receiver
    _, foreign = add_receiver(served.service, project="other")
    served.service.delete_receiver(PROJECT, id_)
    keys = [key, foreign, new_key(), "abc", "whk_", "whk_" + "é" * 43, "%00"]
    answers = [_call(stranger, bad) for bad in keys]
    token = stranger.post("/v1-webhooks/endpoint", params={"token": JWT}, content=PUSH)
    assert {(answer.status_code, answer.content) for answer in [*answers, token]} == {
        (403, answers[0].content)
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Invalid execute url, should have 'token' or 'key'"),
        ("key=", "Invalid execute url, should have 'token' or 'key'"),
        ("projectId=1a5", "Invalid execute url, should have 'token' or 'key'"),
        ("key=abc", "Invalid execute url, url must contain projectId"),
        ("key=abc&projectId=/", "Invalid execute url, url must contain projectId"),
        ("token=abc", "Invalid token error: token contains an invalid number of segments"),
        ("token=a.b.c.d", "Invalid token error: token contains an invalid number of segments"),
        ("key=abc&projectId=1a5&projectId=1a6", "The query string has two values of projectId."),
        ("key=%00&projectId=1a5", "The query string has a control character."),
        ("key=abc&projectId=1%0a5", "The query string has a control character."),
        ("key=abc&projectId=1a5&x=%1b", "The query string has a control character."),
    ],
)
def test_an_incomplete_url_is_refused(
    shared_stranger: httpx.Client, query: str, message: str
) -> None:
    answer = shared_stranger.post(f"/v1-webhooks/endpoint?{query}", content=PUSH)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_a_payload_error_names_the_driver(
    stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    answer = _call(stranger, receiver[1], b'{"push_data": {}}')
    assert answer.status_code == 400
    assert answer.json() == {
        "type": "error",
        "status": "Server Error",
        "statusCode": 400,
        "code": "invalid_payload",
        "message": "Error Webhook response contains no tag in executing driver for stub",
        "links": {"self": str(stranger.base_url.join("/v1-webhooks/endpoint"))},
        "actions": {},
    }


def test_what_the_store_does_not_take_is_sent_again(
    served: Served,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: Any) -> None:
        raise StoreUnavailable("Nothing was stored.", 7)

    monkeypatch.setattr(served.service._async_intake, "store", refuse)
    answer = _call(stranger, receiver[1])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_a_receiver_whose_driver_is_gone_tells_strangers_nothing(
    served: Served,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for loaded in ("_loaders", "_loaded"):
        monkeypatch.setattr(served.service.drivers.plugins, loaded, {})
    monkeypatch.setattr(served.service.drivers, "_instances", {})
    answer = _call(stranger, receiver[1])
    assert answer.status_code == 503
    assert answer.json()["message"] == "The receiver cannot take calls now; nothing was stored."
    assert "Retry-After" in answer.headers


def test_a_fault_of_ours_is_logged_and_not_told(
    served: Served,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(*_: Any) -> None:
        raise ZeroDivisionError("a detail that is not for strangers")

    monkeypatch.setattr(served.service, "_decide", crash)
    answer = _call(stranger, receiver[1])
    assert answer.status_code == 500
    assert answer.json()["message"] == "Internal error; the service's log has the details."
    assert caplog.text.count("ZeroDivisionError: a detail") == 1


def test_deliveries_are_logged_and_keys_never(
    served: Served,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG, "webhook_service")
    caplog.set_level(logging.DEBUG, "uvicorn")
    id_, key = receiver
    told = _call(stranger, key).json()
    _call(stranger, key, b"{")
    unknown = new_key()
    _call(stranger, unknown)
    assert f"delivery {told['id']} of receiver {id_}: accepted" in caplog.messages
    assert "call from 127.0.0.1 refused: 403 unknown_key" in caplog.messages
    served_lines = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(("webhook_service", "uvicorn"))
    ]
    assert not [line for line in served_lines if key in line or unknown in line]


def test_the_sender_s_address_is_kept(
    owner: httpx.Client, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    stranger.headers["X-Forwarded-For"] = "203.0.113.9"
    told = _call(stranger, receiver[1]).json()
    assert get(owner, f"/deliveries/{told['id']}")["client"] == "127.0.0.1"


def test_a_raw_request_keeps_no_credential(tmp_path: Path) -> None:
    with serving(make_service(sqlite_url(tmp_path), {"onRequest": OnRequest})) as served:
        body = {"name": "raw", "driver": "onRequest"}
        made = served.service.create_receiver(PROJECT, body)
        key = served.service.receiver_key(PROJECT, made.id)
        with served.client() as owner:
            owner.post(f"/v1-webhooks/endpoint?key={key}&projectId={PROJECT}&x=1", content=b"hello")
            (execution,) = get(owner, "/executions")["data"]
        assert execution["event"]["query"] == {"x": "1"}
        assert "authorization" not in execution["event"]["headers"]


class OnEvent(OnRequest):
    """Asks for some headers, among them one that no driver gets."""

    def headers(self, config: DriverConfig) -> Collection[str]:
        return ["X-GitHub-Event", "x-hub-signature-256", "Authorization"]


def test_a_driver_of_raw_calls_gets_the_headers_that_it_asks_for(tmp_path: Path) -> None:
    with serving(make_service(sqlite_url(tmp_path), {"onEvent": OnEvent})) as served:
        made = served.service.create_receiver(PROJECT, {"name": "raw", "driver": "onEvent"})
        key = served.service.receiver_key(PROJECT, made.id)
        sent = {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=ab", "X-Other": "x"}
        with served.client() as owner:
            query = {"key": key, "projectId": PROJECT}
            told = owner.post("/v1-webhooks/endpoint", params=query, content=b"{}", headers=sent)
            (id_,) = told.json()["executions"]
            shown = get(owner, f"/executions/{id_}")["event"]["headers"]
        event = served.service.get_execution(PROJECT, id_).event
    assert isinstance(event, Request) and not {"x-other", "authorization"} & {*event.headers}
    assert event.headers["x-hub-signature-256"] == "sha256=ab"
    assert (shown["x-github-event"], shown["x-hub-signature-256"]) == ("push", "********")


def test_ready_means_that_the_database_answers(
    served: Served, stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StoreUnavailable("The database does not answer.")

    assert stranger.get("/readyz").text == "ok\n"
    monkeypatch.setattr(served.service.store, "ping", refuse)
    assert wait_for(lambda: stranger.get("/readyz").status_code == 503)
    assert stranger.get("/healthz").text == "ok\n"


def test_a_handshake_is_answered_in_the_senders_words(served: Served) -> None:
    served.service.formats.add("azure", Azure)
    source = {"format": "azure"}
    _, key = add_receiver(served.service, source=source, verify={"scheme": "none"})
    event = {
        "id": "1",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2026-01-02T03:04:05Z",
        "topic": "t",
        "subject": "",
        "dataVersion": "1",
        "data": {"validationCode": "a-code"},
    }
    url = f"{served.base}/v1-webhooks/endpoint?key={key}&projectId=1a5"
    answer = httpx.post(url, json=[event], headers={"aeg-event-type": "SubscriptionValidation"})
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "a-code"})


def test_a_cloudevents_sender_is_permitted_by_a_live_key_only(
    stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    def ask(key: str, **headers: str) -> httpx.Response:
        query = {"key": key, "projectId": PROJECT}
        return stranger.options("/v1-webhooks/endpoint", params=query, headers=headers)

    permitted = ask(receiver[1], **{"WebHook-Request-Origin": "eventgrid.example"})
    assert permitted.status_code == 200
    assert permitted.headers["webhook-allowed-origin"] == "eventgrid.example"
    refused = ask(new_key(), **{"WebHook-Request-Origin": "eventgrid.example"})
    assert refused.status_code == 403 and "webhook-allowed-origin" not in refused.headers
    assert ask(receiver[1]).status_code == 404
