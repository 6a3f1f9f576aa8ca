"""Whatever is ignored has a reason."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, SECRET, receiver_body, sqlite_url
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed
from webhook_service.model.delivery import Call, Delivery, DeliveryState, Reason
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver

JSON = {"content-type": "application/json"}
HARBOR = json.dumps(
    {
        "type": "PUSH_ARTIFACT",
        "event_data": {
            "resources": [],
            "repository": {"name": "shop", "namespace": "acme", "repo_full_name": "acme/shop"},
        },
    }
).encode()
EMPTY = [
    ("distribution", b'{"events": []}', JSON),
    ("harbor", HARBOR, JSON),
    ("cloudevents", b"[]", {"content-type": "application/cloudevents-batch+json"}),
]
MISMATCHES: list[tuple[str, dict[str, Any]]] = [
    ("tag_mismatch", {"tags": {"policy": "exact", "value": "2"}}),
    ("tag_excluded", {"tags": {"exclude": ["1*"]}}),
    ("repository_mismatch", {"repositories": ["docker.io/acme/other"]}),
    ("digest_missing", {"digests": "required"}),
]


class Says(Format[FormatOptions]):
    """Says what a test wants it to say."""

    said = Parsed()

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return self.said


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    with WebhookService.open(settings, run=False) as opened:
        opened.drivers.add("stub", StubDriver)
        opened.formats.add("says", Says)
        yield opened


def decided(
    service: WebhookService, format: str, call: Call, *, suspended: bool = False, **fields: Any
) -> Delivery:
    body = receiver_body(source={"format": format}, verify={"scheme": "none"}, **fields)
    made = service.create_receiver(PROJECT, body)
    if suspended:
        service.suspend_receiver(PROJECT, made.id)
    told = service.accept(PROJECT, service.receiver_key(PROJECT, made.id), call)
    stored = service.get_delivery(PROJECT, told.id)
    assert (stored.state, stored.reason) == (told.state, told.reason)
    assert all(item.reason for item in stored.items)
    assert stored.state is DeliveryState.IGNORED
    return stored


@pytest.mark.parametrize(("format", "body", "headers"), EMPTY)
@pytest.mark.parametrize("suspended", [False, True])
def test_a_call_with_nothing_in_it_is_ignored_as_empty(
    service: WebhookService,
    format: str,
    body: bytes,
    headers: dict[str, str],
    suspended: bool,
) -> None:
    assert decided(service, format, Call(body, headers), suspended=suspended).reason == "empty"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Parsed(), Reason.EMPTY),
        (Parsed(reply={"ok": True}), Reason.HANDSHAKE),
        (Parsed(dropped=(Dropped("a", "own_word"), Dropped("b", ""))), "own_word"),
        (Parsed(dropped=(Dropped("a", ""),)), Reason.NOT_A_PUSH),
    ],
)
def test_a_format_that_forgets_the_reason_does_not_leave_it_out(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch, said: Parsed, reason: str
) -> None:
    monkeypatch.setattr(Says, "said", said)
    assert decided(service, "says", Call(b"", JSON)).reason == reason


@pytest.mark.parametrize(("reason", "match"), MISMATCHES)
def test_each_rule_that_does_not_let_a_push_pass_is_named(
    service: WebhookService, reason: str, match: dict[str, Any]
) -> None:
    call = Call(dockerhub_push("acme/shop", "1"), JSON)
    assert decided(service, "dockerhub", call, match=match).reason == reason


def test_what_a_suspended_receiver_gets_says_so(service: WebhookService) -> None:
    call = Call(dockerhub_push("acme/shop", "1"), JSON)
    assert decided(service, "dockerhub", call, suspended=True).reason == "suspended"
