"""Plug-ins that misbehave, as an installed distribution gives them to a host.

The first word of a config or of options says how: ``raise`` and ``exit`` raise, ``odd`` returns
what the contract does not allow, ``hang`` never returns.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from webhook_service import Done, DriverConfig, DriverError, WebhookDriver
from webhook_service.driver import Context, PushEvent, Wait
from webhook_service.formats import Format, FormatOptions, Parsed
from webhook_service.model.delivery import Call
from webhook_service.schemes import Scheme, SchemeOptions


def _raise(exc: BaseException) -> Any:
    raise exc


HOW: Mapping[str, Callable[[], Any]] = {
    "raise": lambda: _raise(KeyError("x")),
    "exit": lambda: _raise(SystemExit(3)),
    "cancel": lambda: _raise(asyncio.CancelledError()),
    "recurse": lambda: _raise(RecursionError()),
    "odd": lambda: "\ud800\0",
    "hang": lambda: threading.Event().wait(),
}


class BadDriverConfig(DriverConfig):
    slot: str = ""
    execute: str = ""
    validate_: str = Field(default="", alias="validate")


class BadDriver(WebhookDriver[BadDriverConfig]):
    Config = BadDriverConfig

    def validate(self, config: BadDriverConfig, context: Context) -> None:
        return HOW[config.validate_]() if config.validate_ else None  # type: ignore[no-any-return]

    def slot(self, config: BadDriverConfig, event: PushEvent) -> str:
        slot: str = HOW[config.slot]() if config.slot else ""
        return slot

    def execute(self, config: BadDriverConfig, event: PushEvent, context: Context) -> Any:
        if config.execute == "wait":
            return Wait(float("nan"), {})
        if config.execute == "say":
            raise DriverError("\ud800\0", code="\0" * 1000)
        return HOW[config.execute]() if config.execute else Done()


class BadFormatOptions(FormatOptions):
    parse: str = ""
    claims: str = ""


class BadFormat(Format[BadFormatOptions]):
    Options = BadFormatOptions

    def parse(self, body: bytes, headers: Mapping[str, str], options: BadFormatOptions) -> Parsed:
        parsed: Parsed = HOW[options.parse]()
        return parsed

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        raise SystemExit(3)


class Unmakeable(BadFormat):
    def __init__(self) -> None:
        raise SystemExit(3)


class Endless(Format):
    """Claims no calls, so the format ``auto`` does not make it."""

    def __init__(self) -> None:
        HOW["hang"]()

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return Parsed()


class BadSchemeOptions(SchemeOptions):
    check: str = ""
    greet: str = ""


class BadScheme(Scheme[BadSchemeOptions]):
    Options = BadSchemeOptions
    computes_only = True

    def check(self, call: Call, options: BadSchemeOptions) -> None:
        return HOW[options.check]() if options.check else None  # type: ignore[no-any-return]

    def greet(self, call: Call, options: BadSchemeOptions) -> None:
        return HOW[options.greet]() if options.greet else None  # type: ignore[no-any-return]
