"""Which refused calls are kept, and what of them."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, SECRET, receiver_body, sqlite_url
from webhook_service.errors import (
    InvalidPayload,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    UnknownKey,
    WebhookServiceError,
)
from webhook_service.model.delivery import Call, Delivery, Refusal
from webhook_service.model.ids import new_key, new_token
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import HIDDEN
from webhook_service.receiving.refusals import KEPT_BYTES, KEPT_PER_MINUTE, Refusals
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.testing.samples import dockerhub_push, sample_push
from webhook_service.testing.signing import sign
from webhook_service.testing.stub import StubDriver

OURS = "what both sides know"
GITHUB = {"verify": {"scheme": "github", "secret": OURS}}
JSON = {"content-type": "application/json"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    with WebhookService.open(settings, run=False) as opened:
        opened.drivers.add("stub", StubDriver)
        yield opened


def receiver(service: WebhookService, **fields: Any) -> tuple[str, str]:
    body = receiver_body(**{"verify": {"scheme": "none"}, **fields})
    made = service.create_receiver(PROJECT, body)
    return made.id, service.receiver_key(PROJECT, made.id)


def kept(service: WebhookService) -> list[Delivery]:
    service.store.database.write(lambda connection: None)
    page = service.list_deliveries(PROJECT, PageRequest(1000, filters={"state": "refused"}))
    return [service.get_delivery(PROJECT, each.id) for each in page.items]


def refusal(service: WebhookService) -> Refusal:
    (only,) = kept(service)
    assert only.refusal is not None
    return only.refusal


def refused(service: WebhookService, key: str, call: Call) -> None:
    with pytest.raises((InvalidPayload, Unauthenticated)):
        service.accept(PROJECT, key, call)


def test_a_body_of_another_format_is_kept_with_the_format_that_fits(
    service: WebhookService,
) -> None:
    id_, key = receiver(service)
    body, headers = sample_push("harbor", "harbor.example/acme/shop:1.2.3")
    refused(service, key, Call(body, headers, client="192.0.2.1"))
    (found,) = kept(service)
    assert (found.receiver, found.reason, found.client) == (id_, "invalid_payload", "192.0.2.1")
    told = refusal(service)
    assert (told.status, told.scheme, told.format) == (400, "none", "dockerhub")
    assert "looks like harbor; this receiver's format is dockerhub" in told.hint
    assert json.loads(told.body) == json.loads(body)


def test_a_body_that_fits_nothing_has_no_hint(service: WebhookService) -> None:
    _, key = receiver(service)
    refused(service, key, Call(b"{", JSON))
    assert refusal(service).hint == ""


@pytest.mark.parametrize(
    ("verify", "signed_with", "hint"),
    [
        (GITHUB["verify"], ("github", "another secret"), "Enter the same secret on both sides"),
        (GITHUB["verify"], ("gitlab", OURS), "it has what gitlab reads"),
        (GITHUB["verify"], None, "has no header X-Hub-Signature-256"),
        (GITHUB["verify"], ("github", f"{OURS}\n"), "ends with a line break"),
        ({"scheme": "github", "secret": f"{OURS} "}, ("github", OURS), "white space at its ends"),
        ({"scheme": "header", "secret": OURS, "header": "x-mine"}, None, "no header x-mine"),
    ],
)
def test_a_call_that_is_not_genuine_is_kept_with_what_would_fit(
    service: WebhookService,
    verify: dict[str, str],
    signed_with: tuple[str, str] | None,
    hint: str,
) -> None:
    _, key = receiver(service, verify=verify)
    body = dockerhub_push("acme/shop", "1.2.3")
    headers = sign(*signed_with, body) if signed_with else {}
    refused(service, key, Call(body, {**JSON, **headers}))
    told = refusal(service)
    assert (told.status, told.scheme) == (401, verify["scheme"])
    assert hint in told.hint
    assert OURS not in told.hint


def test_calls_of_strangers_leave_nothing(service: WebhookService) -> None:
    _, key = receiver(service, **GITHUB)
    old = key
    service.rotate_key(PROJECT, receiver_id(service), overlap=timedelta(0))
    for project, other in ((PROJECT, new_key()), ("1a6", old), (PROJECT, old), (PROJECT, "x")):
        with pytest.raises(UnknownKey):
            service.accept(project, other, Call(b"{", JSON))
        service.refusals.keep(project, other, Call(b"{"), InvalidPayload("no"))
    assert kept(service) == []


@pytest.mark.parametrize("error", [TooManyRequests("later"), StoreUnavailable("later")])
def test_what_the_service_cannot_take_now_is_not_kept(
    service: WebhookService, error: WebhookServiceError
) -> None:
    _, key = receiver(service)
    service.refusals.keep(PROJECT, key, Call(b"{"), error)
    assert kept(service) == []


def test_of_the_body_only_the_beginning_is_kept_and_no_header(service: WebhookService) -> None:
    _, key = receiver(service)
    refused(service, key, Call(b"x" * 100_000, {**JSON, "authorization": "Bearer of something"}))
    assert refusal(service).body == "x" * KEPT_BYTES
    with service.store.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM deliveries").all()
    assert "of something" not in " ".join(str(value) for row in rows for value in row)


def test_secrets_and_keys_in_a_body_are_hidden_also_where_it_is_cut(
    service: WebhookService,
) -> None:
    _, key = receiver(service, **GITHUB)
    token = new_token()
    start = f"{OURS} {token} key={key} ".encode()
    filled = start + b"x" * (KEPT_BYTES - len(start) - 30) + f" {new_key()} {OURS}".encode()
    refused(service, key, Call(filled))
    body = refusal(service).body
    assert HIDDEN in body
    for secret in (OURS, token[:20], key[:20]):
        assert secret not in body
    assert not re.search("wh[kt]_[A-Za-z0-9]", body)


def test_a_flood_of_refused_calls_is_a_bounded_number_of_writes(service: WebhookService) -> None:
    _, key = receiver(service)
    other, other_key = receiver(service, name="other")
    now = [0.0]
    store, added = service.store, list[str]()
    refusals = Refusals(store, service.formats, service.schemes, lambda: now[0])
    add = store.refused.add
    store.refused.add = lambda delivery, body: added.append(delivery.receiver)  # type: ignore
    for _ in range(KEPT_PER_MINUTE * 5):
        refusals.keep(PROJECT, key, Call(b"{"), InvalidPayload("no"))
    assert len(added) == KEPT_PER_MINUTE
    refusals.keep(PROJECT, other_key, Call(b"{"), InvalidPayload("no"))
    assert added[-1] == other
    now[0] = 60.0
    refusals.keep(PROJECT, key, Call(b"{"), InvalidPayload("no"))
    assert len(added) == KEPT_PER_MINUTE + 2
    store.refused.add = add  # type: ignore


def test_a_receiver_that_cannot_take_calls_says_so_to_its_people(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, key = receiver(service)
    for loaded in ("_loaders", "_loaded"):
        monkeypatch.setattr(service.drivers.plugins, loaded, {})
    monkeypatch.setattr(service.drivers, "_instances", {})
    with pytest.raises(WebhookServiceError) as raised:
        service.accept(PROJECT, key, Call(b"{}", JSON))
    assert raised.value.receiver == id_
    assert [each.reason for each in kept(service)] == ["plugin_unavailable"]


def test_a_refused_call_is_no_copy_of_one_that_is_sent_again(service: WebhookService) -> None:
    _, key = receiver(service, **GITHUB)
    body = dockerhub_push("acme/shop", "1.2.3")
    refused(service, key, Call(body, JSON))
    accepted = service.accept(PROJECT, key, Call(body, {**JSON, **sign("github", OURS, body)}))
    assert accepted.state == "accepted" and accepted.refusal is None


def receiver_id(service: WebhookService) -> str:
    return service.list_receivers(PROJECT).items[0].id
