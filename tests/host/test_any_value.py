"""Whatever stands in a path, a query, a header or a field: an answer that is no server error.

SQLite takes what PostgreSQL refuses (NUL, texts and numbers that are too long), so both are asked.
"""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Route

from tests.host.served import Served, serving
from tests.support import (
    PROJECT,
    add_inbox,
    add_receiver,
    make_service,
    push,
    receiver_body,
    sqlite_url,
    wait_for_end,
)
from webhook_service.errors import WebhookServiceError
from webhook_service.host.app import create_app
from webhook_service.model.history.replays import ReplayFilter
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.tokens import Role

TEXTS = [
    *("\0", "a\0b", "exe_\0", "\x7f", "\u202e", "\ufffe", "١٢٣", "%00", "'; --", "", " ", "/"),
    *(
        "x" * 256,
        "x" * 5000,
        "🦑" * 300,
        "exe_" + "f" * 32,
        "rcv_" + "f" * 32,
        "-1",
        "1e400",
        "nan",
    ),
    *("9" * 18, str(2**63), str(2**64), "9" * 400, "9999-12-31T23:59:59-14:00"),
    *("0001-01-01T00:00:00+14:00", "+275760-09-13T00:00:00Z", "null", "true", "[]", "{}"),
]
QUERIES = [*map(quote, TEXTS), "%ED%A0%80", "%FF", "%C0%80", "%", "a%26b", "%F4%90%80%80"]
JSONS = [
    *map(json.dumps, TEXTS),
    *(r'"\ud800"', r'"\udc00a"', r'"\u0000"', "null", "true", "0", "-1", "1.5", "1e308", "-0"),
    *(str(2**31), str(2**63), str(-(2**63) - 1), str(2**64), "9" * 400, "1e400", "NaN"),
    *("[]", "{}", "[[]]", "[null]", '{"": 1}', '{"\\u0000": 1}', "[" * 30 + "]" * 30, '"a" "b"'),
    json.dumps("x" * 100_000),
    json.dumps({"x" * 300: "y"}),
    json.dumps(["x"] * 200),
]
HEADER_NAMES = (
    *("authorization", "if-match", "prefer", "content-type", "host", "x-api-roles"),
    *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"),
    *("webhook-request-origin", "content-encoding", "x-github-event", "user-agent", "traceparent"),
)
HEADERS = [
    "\x7f",
    "x" * 5000,
    "é",
    "9" * 400,
    '"9999999999999999999"',
    f'"{2**63}"',
    '"-1"',
    ",",
    "=",
]
PARTS: dict[str, Any] = {
    "listen": {"inboxes": [], "ownUrl": True},
    "source": {"format": "dockerhub", "registry": "docker.io"},
    "match": {
        "repositories": ["docker.io/acme/shop"],
        "tags": {"policy": "glob", "value": "1.*", "include": ["*"], "exclude": ["x"]},
        "when": "true",
        "after": {"receiver": "staging", "succeededFor": "30m"},
        "freeze": [{"cron": "0 0 * * *", "duration": 60, "timezone": "UTC"}],
    },
    "verify": {"scheme": "none"},
    "registry": {
        "platforms": ["linux/amd64"],
        "poll": 3600,
        "cosignKeyless": {"identityRegexp": "kim@.*", "issuer": "https://issuer.example"},
    },
    "approval": {"count": 1, "withinSeconds": 60},
    "respond": "accepted",
    "state": "active",
}
INBOX = {"name": "hub", "source": PARTS["source"], "verify": {"scheme": "none"}}
REPLAY = {
    **{"receiver": "r", "state": "failed", "reason": "x", "limit": 5, "dryRun": True},
    **{"asOf": True, "since": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"},
}
# By route: the bodies whose fields are tried. A route with a body that is missing here is found by
# a test.
NOTIFICATION = {
    "name": "told",
    "kind": "slack",
    "on": ["failed"],
    "when": "true",
    "slackConfig": {"url": "https://example.com/hook"},
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/receivers"): receiver_body("new", **PARTS),
    ("POST", "/receivers/apply"): receiver_body("applied", **PARTS),
    ("PUT", "/receivers/{id}"): receiver_body("shop", **PARTS),
    ("POST", "/receivers/{id}/rotate"): {"overlapSeconds": 5},
    ("POST", "/receivers/{id}/simulate"): {"body": {"a": 1}, "headers": {"content-type": "x"}},
    ("POST", "/receivers/{id}/rollback"): {"to": "acme/shop:1", "repository": "acme/shop"},
    ("POST", "/holds"): {"name": "incident", "why": "the database is down"},
    ("POST", "/inboxes"): {**INBOX, "name": "new"},
    ("PUT", "/inboxes/{id}"): INBOX,
    ("POST", "/inboxes/{id}/rotate"): {"overlapSeconds": 5},
    ("POST", "/inboxes/{id}/simulate"): {"body": {"a": 1}, "headers": {"content-type": "x"}},
    ("POST", "/notifications"): {**NOTIFICATION, "name": "new"},
    ("PUT", "/notifications/{id}"): NOTIFICATION,
    ("POST", "/notifications/{id}/test"): {},
    ("POST", "/notifications/{id}/notices/{notice}/replay"): {},
    ("POST", "/tokens"): {"role": "readonly", "name": "ci", "expires": "2999-01-01T00:00:00Z"},
    ("POST", "/executions/replay"): REPLAY,
    ("POST", "/executions/{id}/replay"): {"asOf": True},
    ("POST", "/executions/{id}/abort"): {},
    ("POST", "/executions/{id}/cancel"): {"force": True},
    ("POST", "/executions/{id}/approve"): {},
    ("POST", "/executions/{id}/refuse"): {},
    ("POST", "/executions/{id}/release"): {},
}
FILTERS = (
    "limit",
    "marker",
    "id",
    "name",
    "driver",
    "state",
    "receiver",
    "delivery",
    "reason",
    "x",
)
PREFIX = "/v1-webhooks"
pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    if request.param == "sqlite":
        url = sqlite_url(tmp_path_factory.mktemp("values"))
    else:
        url = request.getfixturevalue("postgres").new_migrated_database()
    with serving(make_service(url, run=False)) as running:
        yield running


@pytest.fixture(scope="module")
def ids(served: Served) -> dict[str, str]:
    receiver, key = add_receiver(served.service)
    delivery = push(served.service, key)
    return {
        **{"receivers": receiver, "key": key, "deliveries": delivery.id},
        **{"executions": delivery.executions[0], "schemas": "receiver"},
        "inboxes": add_inbox(served.service),
        "notifications": served.service.notifications.create(PROJECT, NOTIFICATION).id,
    }


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def _routes(served: Served) -> list[tuple[str, str]]:
    routes = create_app(served.service, manage_service=False).routes
    found = {(m, r.path) for r in routes if isinstance(r, Route) for m in r.methods or ()}
    return sorted((m, path) for m, path in found if m != "HEAD" and not path.endswith("/"))


def _filled(path: str, ids: dict[str, str]) -> str:
    return path.replace("{id}", ids.get(path.removeprefix(f"{PREFIX}/").partition("/")[0], "x"))


def _fault(answer: httpx.Response, *what: object) -> object:
    """What was asked and answered, if the host is to blame."""
    told = (*[str(each)[:80] for each in what], answer.text[:300])
    return told if answer.status_code >= 500 else None


def test_every_route_that_takes_a_body_is_tried(served: Served) -> None:
    changing = {(m, p.removeprefix(PREFIX)) for m, p in _routes(served) if m in ("POST", "PUT")}
    # What senders say is for the formats, and the form of the vote page is no JSON.
    assert {each for each in changing if each[1] not in ("/endpoint", "/vote")} == set(BODIES)


def test_any_id_in_a_path(served: Served, client: httpx.Client) -> None:
    for method, path in _routes(served):
        if "{id}" not in path:
            continue
        for value in QUERIES:
            url = path.replace("{id}", value)
            body = BODIES.get((method, path.removeprefix(PREFIX)), {})
            answer = client.request(method, url, json=body)
            assert not _fault(answer, method, url)


def test_any_value_in_a_query(served: Served, client: httpx.Client, ids: dict[str, str]) -> None:
    for method, path in _routes(served):
        if method in ("DELETE", "PUT"):
            continue
        lists = path.removeprefix(PREFIX) in ("/receivers", "/deliveries", "/executions")
        for name in ("projectId", "key", "token", *(FILTERS if lists else ())):
            for value in QUERIES:
                url = f"{_filled(path, ids)}?{name}={value}"
                assert not _fault(client.request(method, url, json={}), method, url)


def test_any_name_in_a_query(client: httpx.Client) -> None:
    for value in QUERIES:
        assert not _fault(client.get(f"{PREFIX}/executions?{value}=1&{value}x=2"), value)


def test_any_key_or_project_at_the_endpoint(client: httpx.Client, ids: dict[str, str]) -> None:
    for value in QUERIES:
        for query in (f"key={ids['key']}&projectId={value}", f"key={value}&projectId={PROJECT}"):
            assert not _fault(client.post(f"{PREFIX}/endpoint?{query}", content=b"{}"), query)


@pytest.mark.parametrize("route", BODIES, ids=lambda route: " ".join(route))
def test_any_value_in_a_field(
    client: httpx.Client, ids: dict[str, str], route: tuple[str, str]
) -> None:
    method, path = route
    body = BODIES[route]
    for place in ((), *_places(body)):
        for value in JSONS:
            content = _with(body, place, value)
            answer = client.request(
                method,
                PREFIX + _filled(f"{PREFIX}{path}", ids).removeprefix(PREFIX),
                content=content,
                headers={"content-type": "application/json"},
            )
            assert not _fault(answer, method, path, place, value)


def test_any_value_in_a_header(served: Served, client: httpx.Client, ids: dict[str, str]) -> None:
    for method, path in _routes(served):
        if method == "DELETE":
            continue
        for name in HEADER_NAMES:
            for value in HEADERS:
                headers = {name: value.encode("latin-1")}
                query = {"key": ids["key"], "projectId": PROJECT} if "endpoint" in path else None
                url = _filled(path, ids)
                answer = client.request(
                    method,
                    url,
                    params=query,
                    content=b"{}",
                    headers=headers,  # type: ignore[arg-type]
                )
                assert not _fault(answer, method, path, name, value)


FAR = (
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))),
)
# What applications and the command line may call with a text of a person, past all of HTTP.
CALLS: dict[str, Callable[[Any, str, dict[str, str]], Any]] = {
    "create_receiver": lambda s, text, ids: s.create_receiver(PROJECT, receiver_body(text)),
    "create_receiver in": lambda s, text, ids: s.create_receiver(text, receiver_body()),
    "v16_key": lambda s, text, ids: s.create_receiver(PROJECT, receiver_body("v"), v16_key=text),
    "update_receiver": lambda s, text, ids: s.update_receiver(
        PROJECT, ids["receivers"], receiver_body(text)
    ),
    "get_receiver": lambda s, text, ids: s.get_receiver(text, text),
    "suspend_receiver": lambda s, text, ids: s.suspend_receiver(PROJECT, text),
    "delete_receiver": lambda s, text, ids: s.delete_receiver(PROJECT, text),
    "rotate_key": lambda s, text, ids: s.rotate_key(PROJECT, text),
    "require_key": lambda s, text, ids: s.require_key(text, text),
    "list_receivers": lambda s, text, ids: s.list_receivers(PROJECT, PageRequest(marker=text)),
    "list_deliveries": lambda s, text, ids: s.list_deliveries(
        text, PageRequest(filters={"reason": text})
    ),
    "list_executions": lambda s, text, ids: s.list_executions(
        PROJECT, PageRequest(marker=text, filters={"state": text})
    ),
    "get_delivery": lambda s, text, ids: s.get_delivery(PROJECT, text),
    "get_execution": lambda s, text, ids: s.get_execution(text, text),
    "find_ended": lambda s, text, ids: s.find_ended([text]),
    "create_token": lambda s, text, ids: s.create_token(text, Role.MEMBER),
    "find_token": lambda s, text, ids: s.find_token(text),
    "list_tokens": lambda s, text, ids: s.list_tokens(text),
    "revoke_token": lambda s, text, ids: s.revoke_token(text),
    "replay": lambda s, text, ids: s.interventions.replay(PROJECT, text, by=text),
    "replay by": lambda s, text, ids: s.interventions.replay(PROJECT, ids["ended"], by=Actor(text)),
    "replay_all": lambda s, text, ids: s.interventions.replay_all(
        PROJECT, ReplayFilter(receiver=text, reason=text), by=Actor(text)
    ),
    "cancel": lambda s, text, ids: s.interventions.cancel(PROJECT, text),
    "abort": lambda s, text, ids: s.interventions.abort(PROJECT, text, by=Actor(text)),
    "approve": lambda s, text, ids: s.interventions.approve(PROJECT, ids["held"], Actor(text)),
    "refuse": lambda s, text, ids: s.interventions.refuse(PROJECT, text, Actor(text)),
    "history": lambda s, text, ids: s.interventions.history(PROJECT, text),
    "roll_back": lambda s, text, ids: s.interventions.roll_back(
        PROJECT, ids["receivers"], text, text, by=Actor(text)
    ),
}


@pytest.fixture(scope="module")
def people(served: Served, ids: dict[str, str]) -> dict[str, str]:
    _, key = add_receiver(
        served.service, name="people", approval={"count": 9}, verify={"scheme": "none"}
    )
    # A newer push to the slot ends the one that waits for approval.
    ended = push(served.service, key, "1").executions[0]
    held = push(served.service, key, "2").executions[0]
    wait_for_end(served.service, ended)
    return {**ids, "held": held, "ended": ended}


@pytest.mark.parametrize("name", CALLS)
def test_any_text_that_an_application_hands_over(
    served: Served, people: dict[str, str], name: str
) -> None:
    for text in (*TEXTS, "\ud800", "a\udfffb"):
        try:
            CALLS[name](served.service, text, people)
        except WebhookServiceError as exc:
            assert exc.status < 500, (name, text[:40], exc)


@pytest.mark.parametrize("moment", FAR, ids=str)
def test_any_moment_that_an_application_hands_over(served: Served, moment: datetime) -> None:
    wanted = ReplayFilter(since=moment, until=moment)
    assert served.service.interventions.replay_all(PROJECT, wanted).replayed == ()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield (*path, name)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*path, name))


def _with(body: Any, place: tuple[Any, ...], text: str) -> str:
    """The JSON of a body with the text at one place of it, whatever the text is."""
    if not place:
        return text
    changed = copy.deepcopy(body)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = "@here@"
    return json.dumps(changed).replace('"@here@"', text)
