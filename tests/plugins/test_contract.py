"""What of a plug-in's class can be seen to be wrong before anything runs it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partialmethod
from typing import Any

import pytest
from pydantic import computed_field

from webhook_service.driver import CONTRACT, Done, DriverConfig, PushEvent, Request, WebhookDriver
from webhook_service.formats import Format, FormatOptions, Parsed
from webhook_service.plugins.contract import breach, fault


class Good(WebhookDriver[DriverConfig]):
    def execute(self, config: DriverConfig, event: Any, context: Any) -> Done:
        return Done()


def good(**parts: Any) -> type:
    return type("Bad", (Good,), parts)


async def later(*values: object) -> None:
    pass


def steps(*values: object) -> Iterator[Done]:
    yield Done()


async def later_steps(*values: object) -> AsyncIterator[Done]:
    yield Done()


class Doubled(DriverConfig):
    number: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return 2 * self.number


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
        ({"slot": later}, "its slot must be a plain method, and not async"),
        ({"execute": steps}, "its execute must return, and not yield"),
        ({"execute": later_steps}, "its execute must return, and not yield"),
        ({"Config": Doubled}, r"its Config has computed fields \(double\): use plain properties"),
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
        {"execute": later, "interrupt": later, "close": later},
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

    assert fault(Empty, WebhookDriver) == "its class Empty does not define execute."


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Good(), "it is an object of Good, and must be the class itself."),
        (good, "it is a function, and must be a class that extends WebhookDriver."),
        (dict, "its class dict does not extend WebhookDriver."),
        (good(consumes=None), "its consumes must be the class PushEvent or the class Request."),
    ],
)
def test_what_is_no_plugin_class_is_told(target: object, said: str) -> None:
    assert fault(target, WebhookDriver) == said


def test_a_class_that_cannot_be_looked_at_is_told() -> None:
    class Hostile:
        def __get__(self, target: object, owner: object) -> Any:
            raise KeyError("no method")

    said = fault(good(slot=Hostile()), WebhookDriver)
    assert said == "its class Bad cannot be read: KeyError."
