"""Who calls too often is refused before its call is read, and learns nothing from it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.host.served import Served, serving
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.errors import TooManyRequests
from webhook_service.host.limits.rates import GUESS_COST, Buckets, CallRates, Guesses, Rate
from webhook_service.model.ids import new_key, new_token
from webhook_service.testing.samples import dockerhub_push

HERE = "192.0.2.1"
PUSH = dockerhub_push("acme/shop", "1.2.3")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _passing(rates: CallRates, client: str, key: str, calls: int) -> int:
    """How many of some calls with a live key pass."""
    passed = 0
    for _ in range(calls):
        try:
            rates.admit(client, key)
        except TooManyRequests:
            continue
        rates.accepted(client, key)
        passed += 1
    return passed


def test_a_bucket_holds_its_burst_and_fills_at_its_rate(clock: Clock) -> None:
    buckets = Buckets(Rate(2, 10), clock=clock)
    assert [buckets.take("a") for _ in range(12)].count(True) == 10
    clock.now += 3
    assert [buckets.take("a") for _ in range(12)].count(True) == 6
    clock.now += 3600
    assert [buckets.take("a") for _ in range(12)].count(True) == 10
    assert buckets.take("b")


def test_the_least_recently_used_bucket_is_forgotten(clock: Clock) -> None:
    buckets = Buckets(Rate(1, 5), size=2, clock=clock)
    for name in ("a", "b", "a", "c"):
        buckets.take(name)
    assert len(buckets) == 2
    assert buckets.left("a") < 5 and buckets.left("b") == 5


def test_a_rate_of_zero_is_no_limit(clock: Clock) -> None:
    rates = CallRates(Rate(0, 1), Rate(0, 1), clock=clock)
    assert _passing(rates, HERE, "k", 5000) == 5000


def test_an_address_and_a_receiver_have_limits_of_their_own(clock: Clock) -> None:
    met: list[str] = []
    rates = CallRates(Rate(10, 20), Rate(1, 8), met.append, clock)
    assert _passing(rates, HERE, "k1", 10) == 8
    assert _passing(rates, HERE, "k2", 8) == 8
    assert _passing(rates, HERE, "k3", 10) == 4
    assert _passing(rates, "192.0.2.2", "k3", 3) == 3
    assert met == ["calls_of_receiver"] * 2 + ["calls_of_address"] * 6


def test_who_guesses_is_a_suspect_long_before_its_rate_is_used_up(clock: Clock) -> None:
    guesses = CallRates(Rate(200, 2000), Rate(50, 500), clock=clock).guesses
    for _ in range(2000 // GUESS_COST):
        assert not guesses.suspects(HERE, "new")
        guesses.wrong(HERE, "guess")
    assert guesses.suspects(HERE, "new") and not guesses.suspects("192.0.2.2", "new")
    clock.now += 0.1
    assert not guesses.suspects(HERE, "new")


def test_what_is_known_to_be_valid_is_no_suspect_until_it_is_not(clock: Clock) -> None:
    guesses = Guesses(Rate(1, 1), clock=clock)
    guesses.right("live")
    guesses.wrong(HERE, "guess")
    assert not guesses.suspects(HERE, "live")
    guesses.wrong(HERE, "live")
    assert guesses.suspects(HERE, "live")


def test_guesses_take_nothing_of_the_rate_of_valid_keys(clock: Clock) -> None:
    rates = CallRates(Rate(10, 20), Rate(10, 20), clock=clock)
    for _ in range(1000):
        rates.admit(HERE, new_key())
        rates.guesses.wrong(HERE, "guess")
    assert _passing(rates, HERE, "live", 30) == 20


def test_calls_that_are_not_proven_genuine_take_nothing_from_those_that_are(clock: Clock) -> None:
    met: list[str] = []
    rates = CallRates(Rate(100, 100), Rate(1, 8), met.append, clock)
    for _ in range(1000):
        with suppress(TooManyRequests):
            rates.admit("192.0.2.66", "k")
            rates.unproven("192.0.2.66", "k")
    assert met == ["unproven_calls_of_address"] * (1000 - 100 // GUESS_COST)
    assert _passing(rates, HERE, "k", 10) == 8
    assert _passing(rates, "192.0.2.66", "other", 10) == 8


def test_an_ipv6_network_of_64_bits_is_one_address(clock: Clock) -> None:
    rates = CallRates(Rate(1, 3), clock=clock)
    passed = [_passing(rates, f"2001:db8:1:2::{number:x}", "k", 1) for number in range(5)]
    assert sum(passed) == 3
    assert _passing(rates, "2001:db8:1:3::1", "k", 1) == 1
    assert _passing(rates, "::ffff:192.0.2.9", "k", 2) + _passing(rates, "192.0.2.9", "k", 2) == 3


def test_a_peer_without_an_address_has_no_limit_of_one(clock: Clock) -> None:
    assert _passing(CallRates(Rate(1, 1), clock=clock), "", "k", 50) == 50


@pytest.fixture
def strict(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """A host whose clock stands still: three calls to a receiver, 40 from an address."""
    rates = CallRates(Rate(1, 40), Rate(1, 3), clock=clock)
    with serving(make_service(sqlite_url(tmp_path)), rates=rates) as running:
        yield running


def _call(client: httpx.Client, key: str) -> httpx.Response:
    query = {"key": key, "projectId": PROJECT}
    return client.post("/v1-webhooks/endpoint", params=query, content=PUSH)


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    found: list[str] = []

    def note(*args: object) -> None:
        found.append(str(args[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_refusal_is_the_same_for_every_key_and_a_busy_receiver_costs_the_database_nothing(
    strict: Served,
) -> None:
    _, key = add_receiver(strict.service)
    with strict.client(None) as stranger:
        assert [_call(stranger, key).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert [_call(stranger, new_key()).status_code for _ in range(3)] == [403, 403, 429]
        with _statements() as statements:
            refused = [_call(stranger, key)]
            assert not [text for text in statements if "keys" in text or "deliveries" in text]
        refused += [_call(stranger, each) for each in (new_key(), "abc", new_key())]
    answers = {(r.status_code, r.content, r.headers["Retry-After"]) for r in refused}
    assert len(answers) == 1 and answers.pop()[0] == 429
    assert refused[0].json()["code"] == "too_many_requests"


def test_a_key_that_never_called_passes_from_an_address_that_guesses(strict: Served) -> None:
    _, key = add_receiver(strict.service)
    _, other = add_receiver(strict.service, name="other")
    with strict.client(None) as stranger:
        guessed = [_call(stranger, new_key()).status_code for _ in range(60)]
        assert guessed == [403] * 2 + [429] * 58
        assert [_call(stranger, each).status_code for each in (key, other, key)] == [200] * 3


def test_a_body_is_not_waited_for_when_the_call_is_refused(strict: Served) -> None:
    _, key = add_receiver(strict.service)
    with strict.client(None) as stranger:
        assert [_call(stranger, key).status_code for _ in range(3)] == [200] * 3
    head = f"POST /v1-webhooks/endpoint?key={key}&projectId={PROJECT} HTTP/1.1\r\nHost: h\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), 5) as connection:
        connection.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 429 ")


def test_guessed_tokens_are_slowed_down_and_good_ones_pass(strict: Served) -> None:
    with strict.client() as owner, strict.client() as late, strict.client(None) as stranger:
        path = f"/v1-webhooks/receivers?projectId={PROJECT}"
        assert owner.get(path).status_code == 200
        statuses = []
        for _ in range(20):
            bearer = {"Authorization": f"Bearer {new_token()}"}
            statuses.append(stranger.get(path, headers=bearer).status_code)
        assert statuses == [401] * 2 + [429] * 18
        assert [client.get(path).status_code for client in (owner, late, owner)] == [200] * 3


def test_the_address_is_the_caller_s_behind_a_trusted_proxy(tmp_path: Path, clock: Clock) -> None:
    proxies, rates = [ip_network("127.0.0.0/8")], CallRates(Rate(1, 2), clock=clock)
    with serving(
        make_service(sqlite_url(tmp_path)), rates=rates, trusted_proxies=proxies
    ) as running:
        _, key = add_receiver(running.service)
        with running.client(None) as proxy:
            statuses = []
            for caller in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2"):
                proxy.headers["X-Forwarded-For"] = caller
                statuses.append(_call(proxy, key).status_code)
    assert statuses == [200, 200, 429, 200]


def test_a_cloudevents_handshake_is_counted_too(strict: Served) -> None:
    origin = {"WebHook-Request-Origin": "eventgrid.example"}

    def ask(key: str) -> int:
        query = {"key": key, "projectId": PROJECT}
        with strict.client(None) as stranger:
            answer = stranger.options("/v1-webhooks/endpoint", params=query, headers=origin)
        return answer.status_code

    assert [ask(new_key()) for _ in range(3)] == [403, 403, 429]
