"""The scheme ``all``: several schemes. A call has to pass every one of them.

The options of a part stand under the name of its scheme: ``{"scheme": "all", "address":
{"networks": […]}, "github": {"secret": "…"}}``. Any scheme of the service can be a part, except
``all`` itself and ``none``, which proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

from pydantic import ConfigDict, ValidationError

from webhook_service.errors import InvalidConfig, PluginUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.plugins.boundary import ask
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.scheme import Others, Proof, Scheme, SchemeOptions

NO_PARTS = ("all", "none")

Part = tuple[Scheme[Any], Any]
"""A scheme, bound, and its own options."""


class AllOptions(SchemeOptions):
    """The options of each part under the name of its scheme."""

    model_config = ConfigDict(extra="allow")


class All(Scheme[AllOptions]):
    """Several schemes. A call passes if it passes every part; without parts no call passes.

    Args:
        parts: in the alphabetical order of their names: ``address`` is checked before a scheme
            that fetches something.
    """

    Options = AllOptions
    proof = Proof(
        algorithm="every part passes; a part is the options of a scheme under its name",
        replay="as its parts",
    )

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts = parts

    def secret_fields(self, options: Mapping[str, Any], others: Others) -> frozenset[str]:
        """The parts that have a secret. The whole of such a part is sealed and hidden."""
        return frozenset(name for name in options if _has_secret(name, others))

    def bind(self, options: AllOptions, others: Others) -> All:
        given = options.model_extra or {}
        if not given:
            raise InvalidConfig('verify: name the parts, such as "github": {"secret": "…"}.')
        return All([_part(name, given[name], others) for name in sorted(given)])

    def check(self, call: Call, options: AllOptions) -> None:
        if not self._parts:
            raise Unauthenticated(REFUSED)
        try:
            for scheme, own in self._parts:
                ask(NoneType, scheme.check, call, own)
        except Unauthenticated:
            raise Unauthenticated(REFUSED) from None

    def greet(self, call: Call, options: AllOptions) -> None:
        for scheme, own in self._parts:
            ask(NoneType, scheme.greet, call, own)

    def message_id(self, call: Call, options: AllOptions) -> str | None:
        found = (scheme.message_id(call, own) for scheme, own in self._parts)
        return next((message for message in found if message is not None), None)


def _has_secret(name: str, others: Others) -> bool:
    if name in NO_PARTS:
        return False
    try:
        return bool(others(name).Options.secret_fields())
    except PluginUnavailable:
        return False  # ``bind`` refuses it, before anything is stored


def _part(name: str, values: Any, others: Others) -> Part:
    if name in NO_PARTS:
        raise InvalidConfig(f"verify.{name}: cannot be a part of all.")
    try:
        scheme = others(name)
        options = scheme.Options.model_validate(values)
    except PluginUnavailable as exc:
        raise InvalidConfig(f"verify: {exc.message}") from exc
    except ValidationError as exc:
        raise InvalidConfig(_problems(name, exc)) from None
    return ask(Scheme, scheme.bind, options, others), options


def _problems(name: str, exc: ValidationError) -> str:
    """What is wrong with a part, without the values that may be secrets."""
    problems = []
    for error in exc.errors(include_input=False, include_url=False, include_context=False):
        path = ".".join(["verify", name, *map(str, error["loc"])])
        problems.append(f"{path}: {error['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)
