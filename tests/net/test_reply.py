"""What drivers make of a reply: its status, its JSON, and what it is sent with."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers.listener import Listener
from webhook_service.errors import DriverError, OutboundError, Retry
from webhook_service.net.outbound import Outbound
from webhook_service.net.reply import MAX_RETRY_AFTER, OutboundReply


@pytest.fixture
def outbound() -> Iterator[Outbound]:
    with closing(Outbound.for_driver({"allow_private": ["127.0.0.0/8"]})) as made:
        yield made


def reply(status: int, body: bytes = b"", **headers: str) -> OutboundReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return OutboundReply(status, named, body, "ci.example")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_status_of_success_passes(status: int) -> None:
    assert reply(status).require_ok().ok


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_a_status_that_will_pass_is_tried_again(status: int) -> None:
    with pytest.raises(Retry, match=f"^ci.example answered {status}.$") as caught:
        reply(status).require_ok()
    assert (caught.value.reason, caught.value.after) == (f"status_{status}", 0.0)


@pytest.mark.parametrize("status", [301, 304, 400, 401, 403, 404, 409, 422])
def test_any_other_status_ends_the_execution(status: int) -> None:
    with pytest.raises(DriverError) as caught:
        reply(status).require_ok()
    assert not isinstance(caught.value, Retry)
    assert caught.value.reason == f"status_{status}"


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (
            302,
            ": it sends calls elsewhere, and redirects are not followed. Give the address itself.",
        ),
        (403, ": it does not let this call in. Check the credentials, and the address."),
        (410, ": there is nothing at this address, or no more. Check it."),
        (422, "."),
    ],
)
def test_a_status_that_people_can_mend_says_how(status: int, advice: str) -> None:
    with pytest.raises(DriverError) as caught:
        reply(status, location="https://elsewhere.example/s3cret").require_ok()
    assert caught.value.message == f"ci.example answered {status}{advice}"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("99999999", MAX_RETRY_AFTER), ("soon", 0.0), ("-1", 0.0), ("²", 0.0)],
)
def test_a_server_says_when_to_come_back(said: str, seconds: float) -> None:
    with pytest.raises(Retry) as caught:
        reply(503, retry_after=said).require_ok()
    assert caught.value.after == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_an_error_without_the_body(body: bytes) -> None:
    with pytest.raises(OutboundError, match="^ci.example answered what is no JSON.$"):
        reply(200, body).json()


def test_json_is_sent_as_such_and_read(outbound: Outbound, listener: Listener) -> None:
    found = outbound.post(listener.url, {"x-mine": "yes"}, json={"image": "é"})
    (call,) = listener.calls
    assert (found.status, found.host) == (200, "127.0.0.1")
    assert json.loads(call.body) == {"image": "é"}
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert (headers["content-type"], headers["x-mine"]) == ("application/json", "yes")
    assert reply(200, call.body).json() == {"image": "é"}


def test_an_empty_object_is_sent_too(outbound: Outbound, listener: Listener) -> None:
    outbound.post(listener.url, json={})
    assert listener.calls[0].body == b"{}"


def test_a_driver_calls_no_private_network_that_the_operator_does_not_name(
    listener: Listener,
) -> None:
    for options in ({}, {"allow_private": ["10.0.0.0/8"]}):
        with closing(Outbound.for_driver(options)) as outbound, pytest.raises(OutboundError):
            outbound.get(listener.url)
    assert listener.calls == []
