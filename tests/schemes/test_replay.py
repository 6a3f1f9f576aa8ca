"""A signed id names a call: a copy of it is a duplicate, whoever sends it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.model.test_order import EVENT, NOW
from tests.schemes.cases import PLAIN, SHARED
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.driver import (
    Context,
    DriverConfig,
    Outcome,
    PushEvent,
    Request,
    Unchanged,
    WebhookDriver,
)
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.model.delivery import Call, Delivery
from webhook_service.model.order import message_identity, push_identity
from webhook_service.schemes.github import GitHub
from webhook_service.schemes.standard_webhooks import StandardWebhooks
from webhook_service.service import WebhookService
from webhook_service.testing.signing import sign
from webhook_service.testing.stub import StubDriver

SIGNED = {"scheme": "standardWebhooks", "secret": SHARED[0]}
BODY = b'{"any": "body"}'


class Blind(Format):
    """A sender that gives neither an id nor a time."""

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return Parsed((PushEvent(registry="docker.io", repository="acme/shop", tag="1"),))


class OnRequest(WebhookDriver[DriverConfig, Request]):
    consumes: ClassVar[type[PushEvent] | type[Request]] = Request

    def execute(self, config: DriverConfig, event: Request, context: Context) -> Outcome:
        return Unchanged("a driver of the tests")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    drivers: dict[str, Any] = {"stub": StubDriver, "onRequest": OnRequest}
    with make_service(sqlite_url(tmp_path), drivers, run=False) as service:
        service.schemes.add("standardWebhooks", StandardWebhooks)
        service.schemes.add("github", GitHub)
        service.formats.add("blind", Blind)
        yield service


def _receiver(service: WebhookService, driver: str, verify: Mapping[str, Any]) -> str:
    source = {"format": "blind"} if driver == "stub" else {}
    body = {"driver": driver, "source": source, "verify": verify}
    if driver == "stub":
        body["match"] = {"repositories": ["acme/shop"]}
        return add_receiver(service, **body)[1]
    del body["source"]
    body = {"name": "on request", "onRequestConfig": {}, **body}
    return service.receiver_key(PROJECT, service.create_receiver(PROJECT, body).id)


def _send(service: WebhookService, key: str, message_id: str) -> Delivery:
    headers = sign("standardWebhooks", SHARED[0], BODY, message_id=message_id)
    return service.accept(PROJECT, key, Call(BODY, headers))


@pytest.mark.parametrize("driver", ["stub", "onRequest"])
def test_a_replay_is_a_duplicate_and_another_message_is_not(
    service: WebhookService, driver: str
) -> None:
    key = _receiver(service, driver, SIGNED)
    first = _send(service, key, "msg_1")
    again = _send(service, key, "msg_1")
    other = _send(service, key, "msg_2")
    assert [first.state, again.state, other.state] == ["accepted", "duplicate", "accepted"]
    assert again.duplicate_of == first.id and again.executions == first.executions


def test_an_id_that_nobody_signed_names_nothing(service: WebhookService) -> None:
    key = _receiver(service, "onRequest", {"scheme": "github", "secret": PLAIN[0]})
    headers = {**sign("github", PLAIN[0], BODY), "webhook-id": "msg_1"}
    states = [service.accept(PROJECT, key, Call(BODY, headers)).state for _ in range(2)]
    assert states == ["accepted", "accepted"]


def test_a_signed_id_outweighs_one_that_a_replay_could_change() -> None:
    named = replace(EVENT, source_id="from a header that nobody signed")
    one, two = (push_identity("generic", EVENT, NOW, message) for message in ("a", "b"))
    assert one != two
    changed = replace(named, source_id="changed")
    assert push_identity("generic", named, NOW, "a") == push_identity("generic", changed, NOW, "a")
    assert message_identity("a") != message_identity("b")


def test_the_pushes_of_one_message_are_told_apart() -> None:
    other = replace(EVENT, tag="2")
    assert push_identity("quay", EVENT, NOW, "a") != push_identity("quay", other, NOW, "a")
