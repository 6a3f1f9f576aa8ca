"""When a request is sent again: never if it may be carried out twice."""

import json
from collections.abc import Callable

import httpx
import pytest

from webhook_service.client.errors import Rejected, UnreadableAnswer
from webhook_service.client.exchange import Retries, Sent, path_to, read, require_success
from webhook_service.resources import ReceiverResource

GET = Sent("GET", "/x", repeatable=True)
POST = Sent("POST", "/x")
RETRIES = Retries(most=3, first=0.5)
FAULTS: list[Callable[[str], httpx.TransportError]] = [
    httpx.ReadTimeout,
    httpx.RemoteProtocolError,
    httpx.ReadError,
]


def answer(status: int, text: str = "", **headers: str) -> httpx.Response:
    request = httpx.Request("GET", "https://hooks.example.com/v1-webhooks/x")
    return httpx.Response(status, text=text, headers=headers, request=request)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 409, 500])
def test_an_answer_that_says_something_counts(status: int) -> None:
    assert RETRIES.after_answer(GET, answer(status), 1) is None


@pytest.mark.parametrize("sent", [GET, POST])
@pytest.mark.parametrize("status", [429, 503])
def test_what_stored_nothing_is_sent_again_when_the_service_says(sent: Sent, status: int) -> None:
    headers = {"retry-after": "7"}
    assert RETRIES.after_answer(sent, answer(status, **headers), 2) == 7
    assert RETRIES.after_answer(sent, answer(status, **{"retry-after": "9999"}), 2) == 30
    assert RETRIES.after_answer(sent, answer(status, **headers), 3) is None
    assert 0 <= (RETRIES.after_answer(sent, answer(status), 2) or 0) <= 1


@pytest.mark.parametrize("status", [502, 504])
def test_behind_a_broken_proxy_only_what_is_repeatable_is_sent_again(status: int) -> None:
    assert RETRIES.after_answer(GET, answer(status), 1) is not None
    assert RETRIES.after_answer(POST, answer(status), 1) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_that_may_be_made_is_not_sent_again(
    fault: Callable[[str], httpx.TransportError],
) -> None:
    assert RETRIES.after_fault(GET, fault("x"), 1) is not None
    assert RETRIES.after_fault(POST, fault("x"), 1) is None
    assert RETRIES.after_fault(GET, fault("x"), 3) is None


@pytest.mark.parametrize("fault", [httpx.ConnectError, httpx.ConnectTimeout])
def test_what_never_arrived_is_sent_again(fault: Callable[[str], httpx.TransportError]) -> None:
    assert RETRIES.after_fault(POST, fault("x"), 1) is not None


def test_a_refusal_has_the_service_s_words() -> None:
    told = json.dumps({"code": "not_found", "message": "Token not found"})
    with pytest.raises(Rejected, match="Token not found") as refused:
        require_success(answer(404, told))
    assert (refused.value.http_status, refused.value.reason) == (404, "not_found")


@pytest.mark.parametrize("text", ["<html>", "[]", "{}", "null"])
def test_a_refusal_by_something_else_names_the_server(text: str) -> None:
    with pytest.raises(Rejected, match=r"example\.com answered 502 .* check the address"):
        require_success(answer(502, text))


@pytest.mark.parametrize("text", ["<html>", "{}", '{"type": "delivery"}'])
def test_an_answer_of_another_server_is_refused(text: str) -> None:
    with pytest.raises(UnreadableAnswer, match=r"hooks\.example\.com is not that of this release"):
        read(answer(200, text), ReceiverResource)


def test_ids_are_quoted() -> None:
    assert path_to("executions", "a/../b?c", "replay") == (
        "/v1-webhooks/executions/a%2F..%2Fb%3Fc/replay"
    )
