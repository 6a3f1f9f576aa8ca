"""The scheme ``all``: several schemes, and a call has to pass every one of them.

A part is said under its scheme's name: ``{"scheme": "all", "address": {"networks": […]},
"github": {"secret": "…"}}``. Any scheme of the service can be a part, but for ``none``, which
proves nothing, and ``all`` itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, ValidationError

from webhook_service.errors import InvalidConfig, PluginUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.scheme import Others, Proof, Scheme, SchemeOptions

NO_PARTS = ("all", "none")

Part = tuple[Scheme[Any], Any]
"""A scheme, bound, and its own options."""


class AllOptions(SchemeOptions):
    """The options of each part under the name of its scheme."""

    model_config = ConfigDict(extra="allow")


class All(Scheme[AllOptions]):
    """Several schemes, of which every one has to pass; without parts no call does.

    Args:
        parts: by alphabet of their names: ``address`` comes before anything is fetched.
    """

    Options = AllOptions
    proof = Proof(
        algorithm="every part passes; a part is the options of a scheme under its name",
        replay="as its parts",
    )

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts = parts

    def secret_fields(self, options: Mapping[str, Any], others: Others) -> frozenset[str]:
        """The parts that have a secret: such a part is sealed and hidden as a whole."""
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
                scheme.check(call, own)
        except Unauthenticated:
            raise Unauthenticated(REFUSED) from None

    def greet(self, call: Call, options: AllOptions) -> None:
        for scheme, own in self._parts:
            scheme.greet(call, own)

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
    return scheme.bind(options, others), options


def _problems(name: str, exc: ValidationError) -> str:
    """What is wrong with a part, without the values that may be secrets."""
    problems = []
    for error in exc.errors(include_input=False, include_url=False, include_context=False):
        path = ".".join(["verify", name, *map(str, error["loc"])])
        problems.append(f"{path}: {error['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)
