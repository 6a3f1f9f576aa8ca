"""Refused calls over HTTP: what a receiver's people see, and that strangers leave nothing."""

import logging
from typing import Any

import httpx
import pytest

from tests.host.served import Served, get
from tests.support import PROJECT
from webhook_service.host.limits.memory import MIB
from webhook_service.model.ids import new_key
from webhook_service.telemetry.observer import Happening, Observer, Refused
from webhook_service.testing.samples import dockerhub_push

BAD = [
    pytest.param("POST", {"content": b"{}"}, 400, "invalid_payload", id="another format"),
    pytest.param("POST", {"content": b"x" * (MIB + 1)}, 413, "body_too_large", id="too large"),
    pytest.param(
        "POST",
        {"content": b"x", "headers": {"Content-Encoding": "gzip"}},
        415,
        "unsupported_body",
        id="compressed",
    ),
    pytest.param("GET", {}, 405, "wrong_method", id="GET"),
    pytest.param("HEAD", {}, 405, "wrong_method", id="HEAD"),
    pytest.param("PUT", {"content": b"{}"}, 405, "wrong_method", id="PUT"),
    pytest.param("DELETE", {}, 405, "wrong_method", id="DELETE"),
]


class Noted(Observer):
    def __init__(self) -> None:
        self.refused: list[Refused] = []

    def tell(self, happening: Happening) -> None:
        if isinstance(happening, Refused):
            self.refused.append(happening)


@pytest.fixture
def noted(served: Served) -> Noted:
    noted = Noted()
    served.service.observers.add(noted)
    return noted


def call(client: httpx.Client, method: str, key: str, **options: Any) -> httpx.Response:
    query = {"key": key, "projectId": PROJECT}
    return client.request(method, "/v1-webhooks/endpoint", params=query, **options)


def deliveries(served: Served, owner: httpx.Client) -> list[dict[str, Any]]:
    served.service.store.database.write(lambda connection: None)
    found: list[dict[str, Any]] = get(owner, "/deliveries")["data"]
    return found


@pytest.mark.parametrize(("method", "options", "status", "reason"), BAD)
def test_a_refused_call_of_a_known_key_is_shown_logged_and_counted_with_its_receiver(
    served: Served,
    owner: httpx.Client,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    noted: Noted,
    caplog: pytest.LogCaptureFixture,
    method: str,
    options: dict[str, Any],
    status: int,
    reason: str,
) -> None:
    caplog.set_level(logging.INFO)
    assert call(stranger, method, receiver[1], **options).status_code == status
    (found,) = deliveries(served, owner)
    assert (found["state"], found["reason"]) == ("refused", reason)
    assert (found["receiver"], found["executions"]) == (receiver[0], [])
    assert found["refusal"]["status"] == status and found["refusal"]["message"]
    assert receiver[1] not in str(found)
    (line,) = [message for message in caplog.messages if f"{status} {reason}" in message]
    assert receiver[0] in line
    assert noted.refused == [Refused(reason, receiver[0])]


@pytest.mark.parametrize(("method", "options", "status", "reason"), BAD)
def test_a_refused_call_of_a_stranger_leaves_nothing(
    served: Served,
    owner: httpx.Client,
    stranger: httpx.Client,
    receiver: tuple[str, str],
    method: str,
    options: dict[str, Any],
    status: int,
    reason: str,
) -> None:
    answer = call(stranger, method, new_key(), **options)
    assert answer.status_code == {400: 403, 405: 404}.get(status, status)
    assert deliveries(served, owner) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_a_right_url_says_that_it_lives_and_takes_post(
    stranger: httpx.Client, receiver: tuple[str, str], method: str
) -> None:
    answer = call(stranger, method, receiver[1])
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    said = "" if method == "HEAD" else answer.json()["message"]
    assert method == "HEAD" or ("This URL works" in said and f"sent with {method}" in said)
    assert receiver[1] not in answer.text


def test_the_url_of_an_inbox_says_so_too(served: Served, stranger: httpx.Client) -> None:
    body = {"name": "all", "source": {"format": "dockerhub"}, "verify": {"scheme": "none"}}
    inbox = served.service.inboxes.create(PROJECT, body)
    key = served.service.inboxes.rotate_key(PROJECT, inbox.id)
    assert call(stranger, "GET", key).headers["Allow"] == "POST"


@pytest.mark.parametrize("query", ["", "?key=x", f"?key={new_key()}&projectId={PROJECT}"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_a_stranger_learns_from_other_methods_no_more_than_that_there_is_nothing(
    stranger: httpx.Client, receiver: tuple[str, str], method: str, query: str
) -> None:
    answer = stranger.request(method, f"/v1-webhooks/endpoint{query}")
    assert answer.status_code == 404 and "Allow" not in answer.headers
    assert answer.text == ("" if method == "HEAD" else "404 page not found\n")
    foreign = {"key": receiver[1], "projectId": "other"}
    assert stranger.request(method, "/v1-webhooks/endpoint", params=foreign).status_code == 404


def test_the_body_is_shown_with_the_one_delivery_only(
    served: Served, owner: httpx.Client, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    call(stranger, "POST", receiver[1], content=b'{"events": [1]}')
    (listed,) = deliveries(served, owner)
    assert listed["refusal"]["body"] == ""
    assert get(owner, f"/deliveries/{listed['id']}")["refusal"]["body"] == '{"events": [1]}'


def test_an_accepted_delivery_has_no_refusal(
    served: Served, owner: httpx.Client, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    call(stranger, "POST", receiver[1], content=dockerhub_push("acme/shop", "1.2.3"))
    (found,) = deliveries(served, owner)
    assert (found["state"], found["refusal"]) == ("accepted", None)
