"""Replays what v1.6 answered: the same bytes, or a difference that is written down.

``transcript-v1.6.json`` was recorded from the original. Its exchanges depend on those before
them, so the whole is sent at once; what v1.6 called 1go1 and the keys it drew are translated. It is
sent twice: as it was recorded, and with all that clients of v1.6 send beside, and v1.6 ignored.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.host.served import Served, serving
from tests.host.v16_drivers import SERVICES, V16_DRIVERS, v16_cluster
from tests.support import make_service, sqlite_url, wait_for_end
from webhook_service.formats.alicloud import AliCloud
from webhook_service.formats.azure import Azure
from webhook_service.host.api.callers.auth import FirstOf, ProxyAuthenticator, TokenAuthenticator
from webhook_service.model.execution import Execution

# The whole is sent before the first test: once.
pytestmark = pytest.mark.xdist_group("transcript")

HERE = Path(__file__).parent
TRANSCRIPT = json.loads((HERE / "transcript-v1.6.json").read_text())
PAGE = (HERE.parents[1] / "docs" / "differences-from-v1.6.md").read_text()
LOCALHOST = [ip_network("127.0.0.0/8")]


@dataclass(frozen=True)
class Difference:
    """Where we answer something else: why, and what."""

    reason: str
    status: int
    body: dict[str, Any] = field(default_factory=dict)
    message: str = ""


DELIVERED = Difference(
    "v1.6 answers with no body: nobody learns what became of the call",
    200,
    {"type": "delivery", "state": "accepted", "reason": None},
)
STORED = Difference(
    "a call is answered once it is stored; v1.6's words are on its execution",
    200,
    {"type": "delivery", "state": "accepted", "reason": None},
)
WHOLE = "the text of a field of the wrong type is our parser's"
DIFFERENCES = {
    **dict.fromkeys((17, 18, 21, 30), DELIVERED),
    **dict.fromkeys((19, 20, 31), STORED),
    22: Difference(
        DELIVERED.reason, 200, {"type": "delivery", "state": "ignored", "reason": "tag_mismatch"}
    ),
    25: Difference(
        "unreadable JSON is the sender's fault: 400, and the text is ours",
        400,
        message="Error in executing driver for serviceUpgrade: The body is not valid JSON: .*",
    ),
    36: Difference(
        "a right URL that is called with GET says that it takes POST",
        405,
        message="This URL works, and takes calls with POST. This one was sent with GET, .*",
    ),
    40: Difference(
        "the text of a JSON error is our parser's",
        400,
        message="Bad request body: The body is not valid JSON: .*",
    ),
    49: Difference(WHOLE, 400, message="scaleServiceConfig.amount: .* valid integer"),
    51: Difference(
        "the text says what was looked for, too",
        400,
        message='Invalid service 1s99: deployments.apps "none" in namespace 1a5 was not found: .*',
    ),
    52: Difference(
        "a Service is something else in Kubernetes",
        400,
        message="Can only create webhooks for Deployments and StatefulSets. The supplied service "
        "is of type DaemonSet",
    ),
    56: Difference(WHOLE, 400, message="scaleServiceConfig.min: .* valid integer"),
    65: Difference(
        "the name of an unknown payload format is not kept: it is Docker Hub's, as in v1.6",
        200,
        {"type": "receiver", "name": "bad"},
    ),
    78: Difference("receivers can be changed", 200, {"type": "receiver", "name": "upgrade-shop"}),
}
REPLAYED = {*range(len(TRANSCRIPT))} - {*DIFFERENCES}

# Fields that v1.6's answers do not have, by the type of the resource.
ADDED = {
    "apiVersion": {"links.audit", "links.deliveries", "links.executions"},
    "error": {"code"},
    "receiver": {
        "source",
        "match",
        "labels",
        "listen",
        "verify",
        "registry",
        "approval",
        "respond",
        "problem",
        "created",
        "updated",
    },
    "schema": {"jsonSchema"},
}
# And those that the configs of v1.6's drivers did not have.
ADDED_CONFIG = {
    "scaleService": {"cluster"},
    "scaleHost": {"cluster", "namespace", "apiVersion"},
    "forwardPost": {"cluster", "via", "headers", "signingSecret", "timeoutSeconds"},
    "serviceUpgrade": {"cluster", "namespace", "timeoutSeconds", "rollbackOnFailure"},
}
ADDED_SCHEMAS = {"auditEntry", "delivery", "execution", "revision"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Replay:
    """Sends exchanges in v1.6's words and translates the answers back."""

    def __init__(self, client: httpx.Client, *, chatty: bool) -> None:
        self._client = client
        self._chatty = chatty
        self._ours: dict[str, str] = dict(SERVICES)

    def send(self, exchange: dict[str, Any]) -> Answer:
        request = exchange["request"]
        answer = self._client.send(self._request(request))
        if answer.status_code == 200 and request["method"] == "POST" and "receivers" in answer.text:
            self._learn(exchange["response"]["body"], answer.json())
        return self._translated(answer)

    def _request(self, request: dict[str, Any]) -> httpx.Request:
        path, body = request["path"], request["body"]
        if self._chatty:
            path, body = _with_more_query(path), _with_more_fields(path, body)
        for theirs, ours in self._ours.items():
            path = re.sub(rf"\b{theirs}\b", ours, path)
        content = body if isinstance(body, str) or body is None else json.dumps(body)
        for theirs, ours in SERVICES.items():
            content = content and content.replace(f'"{theirs}"', f'"{ours}"')
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= request["headers"]
        kept = {name: value for name, value in headers.items() if value is not None}
        return self._client.build_request(request["method"], path, content=content, headers=kept)

    def _learn(self, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, dict) and "url" in theirs:
            self._ours[theirs["id"]] = ours["id"]
            self._ours[_key(theirs["url"])] = _key(ours["url"])

    def _translated(self, answer: httpx.Response) -> Answer:
        text = answer.text.replace(str(self._client.base_url).rstrip("/"), "http://HOST")
        for theirs, ours in self._ours.items():
            text = text.replace(ours, theirs)
        headers = {
            name: answer.headers[name].replace(
                str(self._client.base_url).rstrip("/"), "http://HOST"
            )
            for name in ("Content-Type", "X-Api-Schemas")
            if name in answer.headers
        }
        is_json = headers.get("Content-Type") == "application/json"
        return Answer(answer.status_code, headers, json.loads(text) if is_json else text or None)


def _with_more_query(path: str) -> str:
    more = "limit=-1&sort=name&order=asc&include=x&_format=json&name_ne=&kind=webhookReceiver"
    return f"{path}{'&' if '?' in path else '?'}{more}"


def _with_more_fields(path: str, body: Any) -> Any:
    """A receiver's body with fields that v1.6 has not, empty ones, and names in another case."""
    if "/receivers" not in path or not isinstance(body, dict):
        return body
    more = {"uuid": "1-2-3", "kind": "webhookReceiver", "state": "", "description": None}
    others = {f"{name}Config": {} for name in V16_DRIVERS if f"{name}Config" not in body}
    own = {
        f"{name[0].upper()}{name[1:]}": {**value, "env": ""} if isinstance(value, dict) else value
        for name, value in body.items()
    }
    return {**more, **others, **own}


def _key(url: str) -> str:
    return url.partition("key=")[2].partition("&")[0]


@dataclass(frozen=True)
class Replayed:
    """Our answers by exchange, and what became of the calls among them."""

    answers: dict[int, Answer] = field(default_factory=dict)
    executions: dict[int, Execution] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["as recorded", "with more"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("transcript")
    with v16_cluster() as cluster:
        options = {"kubeconfig": str(cluster.write_kubeconfig(folder / "kubeconfig"))}
        service = make_service(sqlite_url(folder), V16_DRIVERS, options=options)
        service.formats.add("alicloud", AliCloud)
        service.formats.add("azure", Azure)
        everyone = FirstOf(TokenAuthenticator(service), ProxyAuthenticator(LOCALHOST))
        with (
            serving(service, authenticator=everyone) as served,
            httpx.Client(base_url=served.base, headers={"X-API-Roles": "owner"}) as client,
        ):
            chatty = request.param == "with more"
            if chatty:
                client.headers["Authorization"] = "Basic YWNjZXNzOnNlY3JldA=="
            yield _replay(Replay(client, chatty=chatty), served)


@pytest.fixture(scope="module")
def answers(replayed: Replayed) -> dict[int, Answer]:
    return replayed.answers


def _replay(replay: Replay, served: Served) -> Replayed:
    found = Replayed()
    for number, exchange in enumerate(TRANSCRIPT):
        found.answers[number] = answer = replay.send(exchange)
        if isinstance(answer.body, dict) and answer.body.get("executions"):
            (id_,) = answer.body["executions"]
            found.executions[number] = wait_for_end(served.service, id_, 30)
    return found


def test_every_exchange_is_accounted_for_once() -> None:
    assert sorted([*REPLAYED, *DIFFERENCES]) == list(range(79))


@pytest.mark.parametrize("number", sorted(REPLAYED))
def test_the_answer_is_v1_6s(number: int, answers: dict[int, Answer]) -> None:
    recorded, ours = TRANSCRIPT[number]["response"], answers[number]
    assert ours.status == recorded["status"]
    assert ours.headers == recorded["headers"]
    assert _sorted(_without_additions(ours.body)) == _sorted(recorded["body"])


@pytest.mark.parametrize("number", sorted(DIFFERENCES))
def test_the_answer_differs_as_written_down(number: int, answers: dict[int, Answer]) -> None:
    expected, ours = DIFFERENCES[number], answers[number]
    assert ours.status == expected.status
    assert ours.body | expected.body == ours.body
    if expected.message:
        assert re.fullmatch(expected.message, ours.body["message"])


@pytest.mark.parametrize("number", sorted(DIFFERENCES))
def test_the_difference_is_in_the_documentation(number: int) -> None:
    assert re.search(rf"^\| (\d+, )*{number}(, \d+)* \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("number", "state", "message"),
    [
        (17, "succeeded", "Deployment 1a5/web was scaled from 2 to 3."),
        (18, "succeeded", "Deployment 1a5/web was scaled from 3 to 4."),
        (19, "failed", "Cannot scale above provided max scale value"),
        (20, "failed", "Cannot scale above provided max scale value"),
        (21, "succeeded", "1 of 1 workloads of namespace 1a5 with app=shop were updated."),
        (30, "succeeded", 'http://pipeline-server.1a5:60080 answered 200: {"hello": "world"}'),
        (31, "failed", "No hosts for scaling found"),
    ],
)
def test_the_drivers_do_what_v1_6s_did_and_say_it_so(
    number: int, state: str, message: str, replayed: Replayed
) -> None:
    execution = replayed.executions[number]
    assert (execution.state, execution.message[: len(message)]) == (state, message)


@pytest.mark.parametrize(
    "name",
    sorted({name for part in (ADDED, ADDED_CONFIG) for names in part.values() for name in names}),
)
def test_the_added_field_is_in_the_documentation(name: str) -> None:
    assert f"`{name}`" in PAGE


def _without_additions(body: Any) -> Any:
    if isinstance(body, list):
        return [_without_additions(item) for item in body if not _is_added(item)]
    if not isinstance(body, dict):
        return body
    added = ADDED.get(str(body.get("type")), set())
    kept = {}
    for name, value in body.items():
        if name == "links":
            value = {link: url for link, url in value.items() if f"links.{link}" not in added}
        if name not in added:
            kept[name] = _without_additions(value)
    if kept.get("type") == "schema":
        _trim_schema(kept)
    return kept


def _is_added(item: Any) -> bool:
    return isinstance(item, dict) and item.get("id") in ADDED_SCHEMAS


def _trim_schema(schema: dict[str, Any]) -> None:
    """A schema lists the added fields, and that receivers can be changed (exchange 78)."""
    for name in ADDED.get(schema["id"], set()) | ADDED_CONFIG.get(schema["id"], set()):
        schema["resourceFields"].pop(name, None)
    for found in schema["resourceFields"].values():
        found.pop("description", None)
    schema["resourceMethods"] = [name for name in schema["resourceMethods"] if name != "PUT"]


def _sorted(value: Any) -> Any:
    """Lists of v1.6 have the order of its source code: ours are compared without it."""
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in value.items()}
    if isinstance(value, list):
        return sorted(
            (_sorted(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)
        )
    return value
