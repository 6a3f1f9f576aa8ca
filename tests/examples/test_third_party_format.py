"""examples/third_party_format, its modules alone: what the guides ask of a format and a scheme."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.examples.test_third_party_driver import SECRET, stamp
from webhook_service.errors import InvalidPayload, Unauthenticated
from webhook_service.formats.format import FormatOptions
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import REFUSED

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_format"
PUSH = b'{"event": "pushed", "image": "shipyard.example/acme/shop:1.2.3", "id": "7"}'
HEADER = "x-shipyard-stamp"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield


@pytest.fixture
def shipyard(path: None) -> Any:
    from shipyard_format import Shipyard  # type: ignore[import-not-found]

    return Shipyard()


@pytest.fixture
def stamped(path: None) -> Any:
    from stamped_scheme import Stamped  # type: ignore[import-not-found]

    return Stamped()


def test_a_push_is_read(shipyard: Any) -> None:
    (event,) = shipyard.parse(PUSH, {}, FormatOptions()).events
    assert (event.image, event.source_id) == ("shipyard.example/acme/shop:1.2.3", "7")


def test_what_is_no_push_is_dropped_with_its_reason(shipyard: Any) -> None:
    (item,) = shipyard.parse(b'{"event": "deleted"}', {}, FormatOptions()).dropped
    assert (item.subject, item.reason) == ("deleted", "not_a_push")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"event": 1}',
        b'{"event": "pushed", "image": "shop"}',
        b"\xff",
        b"[" * 99,
    ],
)
def test_what_cannot_be_read_is_invalid(shipyard: Any, body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        shipyard.parse(body, {}, FormatOptions())


def test_a_stamped_call_passes_and_names_itself(stamped: Any) -> None:
    options = stamped.Options(secret=SECRET)
    call = Call(PUSH, {HEADER: stamp(PUSH)})
    stamped.check(call, options)
    assert stamped.message_id(call, options) == call.headers[HEADER]


@pytest.mark.parametrize(
    "headers", [{}, {HEADER: ""}, {HEADER: "1"}, {HEADER: "1 00"}, {HEADER: "x" * 9999}]
)
def test_any_other_call_is_refused_in_the_same_words(stamped: Any, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated, match=REFUSED):
        stamped.check(Call(PUSH, headers), stamped.Options(secret=SECRET))


def test_an_old_call_is_refused(stamped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    call, now = Call(PUSH, {HEADER: stamp(PUSH)}), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 302)
    with pytest.raises(Unauthenticated):
        stamped.check(call, stamped.Options(secret=SECRET))
