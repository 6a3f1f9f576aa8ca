"""What of a plug-in's class can be seen to be wrong before anything runs it."""

from collections.abc import Mapping
from functools import partialmethod
from typing import Any

import pytest

from webhook_service.driver import CONTRACT, Done, DriverConfig, PushEvent, Request, WebhookDriver
from webhook_service.formats import Format, FormatOptions, Parsed
from webhook_service.plugins.contract import breach, lacking


class Good(WebhookDriver[DriverConfig]):
    def execute(self, config: DriverConfig, event: Any, context: Any) -> Done:
        return Done()


def good(**parts: Any) -> type:
    return type("Bad", (Good,), parts)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"contract": CONTRACT + 1}, "install a newer webhook-service"),
        ({"contract": "1"}, "must be a number"),
        ({"Config": dict}, "its Config must be a class that extends DriverConfig"),
        ({"consumes": "Request"}, "its consumes must be the class PushEvent or the class Request"),
        ({"consumes": None}, "its consumes must be the class"),
        (
            {"execute": lambda self, config, event: None},
            r"its execute must be a method that takes \(self, config, event, context\)",
        ),
        ({"execute": lambda config, event, context: None}, "its execute must be a method"),
        ({"execute": lambda self, config, event, context, *, more: None}, "its execute must be"),
        ({"slot": staticmethod(lambda self, config, event: "")}, "its slot must be a method"),
        ({"close": lambda self, why: None}, r"its close must be a method that takes \(self\)"),
    ],
)
def test_a_breach_is_told_with_what_to_change(parts: Mapping[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(breach(good(**parts), WebhookDriver))


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"consumes": Request},
        {"consumes": PushEvent},
        {"execute": lambda self, *values: None},
        {"execute": lambda this, a, b, c, d=None: None},
        {"slot": staticmethod(lambda config, event: "")},
        {"slot": classmethod(lambda cls, config, event: "")},
        {"slot": partialmethod(lambda self, more, config, event: "", 1)},
        {"mine": lambda self, a, b, c: None},
    ],
)
def test_what_can_be_called_as_the_contract_says_is_none(parts: Mapping[str, Any]) -> None:
    assert breach(good(**parts), WebhookDriver) is None


def test_a_format_that_takes_no_headers_is_told() -> None:
    class Bad(Format[FormatOptions]):
        def parse(self, body: bytes, options: FormatOptions) -> Parsed:  # type: ignore[override]
            return Parsed()

    assert breach(Bad, Format) == (
        "its parse must be a method that takes (self, body, headers, options)."
    )


def test_the_methods_that_lack_are_named() -> None:
    class Empty(WebhookDriver[DriverConfig]):
        pass

    assert lacking(Empty, WebhookDriver) == ": it does not define execute"
    assert lacking(dict, WebhookDriver) == lacking("text", WebhookDriver) == ""
