"""Plug-ins that misbehave while a call is taken: their own receiver alone says 503."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, make_service, push, receiver_body, sqlite_url
from webhook_service.driver import Done, DriverConfig, PushEvent, WebhookDriver
from webhook_service.errors import (
    DriverError,
    InvalidPayload,
    IssuerUnavailable,
    PluginUnavailable,
    Unauthenticated,
    WebhookServiceError,
)
from webhook_service.formats.auto import Auto
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed
from webhook_service.model.delivery import Call, DeliveryState
from webhook_service.plugins import boundary
from webhook_service.schemes.all import All
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.service import WebhookService

RAISED = (
    KeyError("x"),
    SystemExit(3),
    RecursionError(),
    asyncio.CancelledError(),
    GeneratorExit(),
    DriverError("not a scheme's to raise"),
)
EVENT = PushEvent(registry="docker.io", repository="acme/shop", tag="1")


def _fail_if(value: object) -> object:
    if isinstance(value, BaseException):
        raise value
    return value


class OddScheme(Scheme[SchemeOptions]):
    """Says what the test wants, by the method's name."""

    computes_only = True
    says: dict[str, object] = {}

    def check(self, call: Call, options: SchemeOptions) -> Any:
        return _fail_if(self.says.get("check"))

    def greet(self, call: Call, options: SchemeOptions) -> Any:
        return _fail_if(self.says.get("greet"))

    def message_id(self, call: Call, options: SchemeOptions) -> Any:
        return _fail_if(self.says.get("message_id"))

    def bind(self, options: SchemeOptions, others: Any) -> Any:
        return _fail_if(self.says.get("bind", self))


class OddFormat(Format[FormatOptions]):
    says: object = Parsed((EVENT,))
    claim: object = True

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Any:
        return _fail_if(self.says)

    def claims(self, body: object, headers: Mapping[str, str]) -> Any:
        return _fail_if(self.claim)


class OddDriver(WebhookDriver[DriverConfig]):
    says: object = "slot"

    def slot(self, config: DriverConfig, event: PushEvent) -> Any:
        return _fail_if(self.says)

    def execute(self, config: DriverConfig, event: PushEvent, context: Any) -> Done:
        return Done()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookService]:
    for kind in (OddScheme, OddFormat, OddDriver):
        monkeypatch.setattr(kind, "says", kind.says)
    monkeypatch.setattr(OddScheme, "says", {})
    monkeypatch.setattr(OddFormat, "claim", True)
    boundary._logged.clear()
    drivers = {"odd": OddDriver}
    with make_service(sqlite_url(tmp_path), drivers, run=False) as service:
        service.schemes.add("odd", OddScheme)
        service.schemes.add("all", All)
        service.formats.add("odd", OddFormat)
        service.formats.add("auto", Auto)
        yield service


def _receiver(service: WebhookService, name: str = "odd", **parts: Any) -> str:
    body = {"name": name, "driver": "odd", "oddConfig": {}, **parts}
    if parts:
        body = {"verify": {"scheme": "none"}, **body}
    made = service.create_receiver(PROJECT, body)
    return service.receiver_key(PROJECT, made.id)


def _accepts(service: WebhookService, key: str) -> bool:
    """By both ways in: the event loop survives what a plug-in raises there."""
    first = push(service, key)
    call = Call(b'{"push_data": {"tag": "2"}, "repository": {"repo_name": "acme/shop"}}')
    second = asyncio.run(service.accept_async(PROJECT, key, call))
    return {first.state, second.state} <= {DeliveryState.ACCEPTED, DeliveryState.DUPLICATE}


def _refused(service: WebhookService, key: str) -> list[WebhookServiceError]:
    found = []
    for accept in (
        lambda: service.accept(PROJECT, key, Call(b"{}")),
        lambda: asyncio.run(service.accept_async(PROJECT, key, Call(b"{}"))),
    ):
        with pytest.raises(WebhookServiceError) as error:
            accept()
        found.append(error.value)
    assert {each.state for each in service.list_deliveries(PROJECT).items} <= {"refused"}
    return found


@pytest.mark.parametrize("method", ["check", "greet", "message_id"])
@pytest.mark.parametrize("said", [*RAISED, True, False, b"id", 0], ids=repr)
@pytest.mark.parametrize("parts", [{"scheme": "odd"}, {"scheme": "all", "odd": {}}], ids=str)
def test_a_scheme_that_misbehaves_verifies_nothing_and_is_named_once_in_the_log(
    service: WebhookService,
    caplog: pytest.LogCaptureFixture,
    method: str,
    said: object,
    parts: dict[str, Any],
) -> None:
    key, well = _receiver(service, verify=parts), _receiver(service, "well")
    _accepts(service, key)  # remembered, so that the next call is decided on the loop
    service.store.database.write(lambda connection: connection.exec_driver_sql(CLEAN))
    OddScheme.says[method] = said
    for refused in _refused(service, key):
        assert isinstance(refused, PluginUnavailable)
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(lines) == 1
    assert parts["scheme"] in lines[0] and "rcv_" in lines[0]
    assert _accepts(service, well)


CLEAN = "DELETE FROM deliveries"


@pytest.mark.parametrize("error", [Unauthenticated("no"), IssuerUnavailable("later")], ids=repr)
def test_what_the_contract_of_schemes_names_is_told(
    service: WebhookService, error: WebhookServiceError
) -> None:
    key = _receiver(service, verify={"scheme": "odd"})
    OddScheme.says["check"] = error
    assert [type(each) for each in _refused(service, key)] == [type(error)] * 2


class Speechless(Unauthenticated):
    def __init__(self) -> None:
        """Without what every error of ours has."""


@pytest.mark.parametrize("error", [Speechless(), Unauthenticated("\ud800\0")], ids=repr)
def test_a_refusal_can_be_answered_whatever_it_says(
    service: WebhookService, error: Unauthenticated
) -> None:
    key = _receiver(service, verify={"scheme": "odd"})
    OddScheme.says["check"] = error
    assert [each.message.encode() for each in _refused(service, key)] in ([b""] * 2, [b"?"] * 2)


def test_an_empty_id_of_a_message_makes_no_copies_of_all_calls(service: WebhookService) -> None:
    key = _receiver(service, verify={"scheme": "odd"})
    OddScheme.says["message_id"] = ""
    assert [push(service, key, tag).state for tag in "12"] == [DeliveryState.ACCEPTED] * 2


@pytest.mark.parametrize("said", [*RAISED, None, 1], ids=repr)
def test_a_scheme_that_cannot_be_bound_is_refused_when_the_receiver_is_saved(
    service: WebhookService, said: object
) -> None:
    OddScheme.says["bind"] = said
    for verify in ({"scheme": "odd"}, {"scheme": "all", "odd": {}}):
        with pytest.raises(PluginUnavailable):
            _receiver(service, verify=verify)
    assert _accepts(service, _receiver(service, "well"))


def _event(**fields: Any) -> Parsed:
    known = {"registry": "docker.io", "repository": "acme/shop", "tag": "1"}
    return Parsed((PushEvent(**(known | fields)),))


ODD_PARSED = {
    "none": None,
    "bytes": b"{}",
    "events are a text": Parsed("abc"),  # type: ignore[arg-type]
    "an event is a dict": Parsed(({},)),  # type: ignore[arg-type]
    "naive time": _event(pushed_at=datetime(2026, 1, 1)),
    "time is a text": _event(pushed_at="2026-01-01"),
    "NUL": _event(repository="a\0b"),
    "surrogate": _event(actor="\ud800"),
    "no repository": _event(repository=""),
    "tag is a number": _event(tag=1),
    "endless tag": _event(tag="x" * 100_000),
    "thousands": Parsed((EVENT,) * 5000),
    "thousands dropped": Parsed((), (Dropped("x", "untagged"),) * 5000),
    "reason is a number": Parsed((), (Dropped("x", 1),)),  # type: ignore[arg-type]
    "a dropped text": Parsed((), ("x",)),  # type: ignore[arg-type]
    "reply is no object": Parsed(reply=["x"]),  # type: ignore[arg-type]
    "reply is no JSON": Parsed(reply={"x": object()}),
    "reply is endless": Parsed(reply={"x": "x" * 1_000_000}),
}


@pytest.mark.parametrize("said", [*RAISED[:-1], *ODD_PARSED.values()])
def test_a_format_that_misbehaves_stores_nothing_and_is_named_once_in_the_log(
    service: WebhookService, caplog: pytest.LogCaptureFixture, said: object
) -> None:
    key, well = _receiver(service, source={"format": "odd"}), _receiver(service, "well")
    OddFormat.says = said
    for refused in _refused(service, key):
        assert isinstance(refused, PluginUnavailable)
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(lines) == 1
    assert "The format odd of the receiver rcv_" in lines[0]
    assert _accepts(service, well)


def test_a_body_that_is_not_of_the_format_is_the_senders_fault(service: WebhookService) -> None:
    key = _receiver(service, source={"format": "odd"})
    OddFormat.says = InvalidPayload("no")
    assert [type(each) for each in _refused(service, key)] == [InvalidPayload] * 2


def test_a_reason_too_long_for_the_database_is_cut(service: WebhookService) -> None:
    key = _receiver(service, source={"format": "odd"})
    OddFormat.says = Parsed((), (Dropped("x", "r" * 1000),))
    delivery = service.accept(PROJECT, key, Call(b"{}"))
    assert service.get_delivery(PROJECT, delivery.id).reason == "r" * 40


@pytest.mark.parametrize("claim", [*RAISED, None, "yes"], ids=repr)
def test_a_format_that_cannot_say_what_is_its_own_keeps_no_call_from_others(
    service: WebhookService, claim: object
) -> None:
    OddFormat.claim = claim
    key = _receiver(service, source={"format": "auto"})
    assert push(service, key).state is DeliveryState.ACCEPTED
    with pytest.raises(PluginUnavailable):  # it may be the one whose call this is
        service.accept(PROJECT, key, Call(b'{"of": "nobody"}'))


class Unmakeable(DockerHub):
    def __init__(self) -> None:
        raise SystemExit(3)


def test_a_format_that_cannot_be_made_takes_no_part_in_auto(service: WebhookService) -> None:
    service.formats.add("unmakeable", Unmakeable)
    OddFormat.claim = False
    key = _receiver(service, source={"format": "auto"})
    assert push(service, key).state is DeliveryState.ACCEPTED
    with pytest.raises(PluginUnavailable):
        _receiver(service, "bad", source={"format": "unmakeable"})


@pytest.mark.parametrize("slot", [*RAISED, None, 1, b"x", "a\0b", "\ud800", "x" * 5000, "é" * 800])
def test_a_slot_that_cannot_be_stored_stores_nothing(service: WebhookService, slot: object) -> None:
    key = _receiver(service)
    OddDriver.says = slot
    call = Call(b'{"push_data": {"tag": "2"}, "repository": {"repo_name": "acme/shop"}}')
    with pytest.raises(PluginUnavailable, match="The driver odd of the receiver rcv_"):
        service.accept(PROJECT, key, call)
    assert {each.state for each in service.list_deliveries(PROJECT).items} <= {"refused"}
    OddDriver.says = ""
    assert _accepts(service, key)


class OddConfig(DriverConfig):
    def implied(self) -> Any:
        raise SystemExit(3)


class Configured(OddDriver):
    Config = OddConfig


def test_a_config_that_misbehaves_is_refused_when_the_receiver_is_saved(
    service: WebhookService,
) -> None:
    service.drivers.add("stub", Configured)
    with pytest.raises(WebhookServiceError, match="config of the driver failed with SystemExit"):
        service.create_receiver(PROJECT, receiver_body())


class Shy(OddScheme):
    def secret_fields(self, options: Any, others: Any) -> Any:
        raise GeneratorExit


def test_a_scheme_that_cannot_name_its_secrets_stores_none(service: WebhookService) -> None:
    service.schemes.add("shy", Shy)
    with pytest.raises(PluginUnavailable, match="The scheme shy failed"):
        _receiver(service, verify={"scheme": "shy"})
    assert not service.list_receivers(PROJECT).items
