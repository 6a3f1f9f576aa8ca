"""The scheme ``all``: several schemes, and a call has to pass every one of them.

A part is said under its scheme's name: ``{"scheme": "all", "address": {"networks": […]},
"github": {"secret": "…"}}``. Any installed scheme can be a part, but for ``none``, which proves
nothing, and ``all`` itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Self

from pydantic import ConfigDict, PrivateAttr, ValidationError, model_validator

from webhook_service.errors import PluginUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.plugins.discovery import SCHEMES, Plugins, discover
from webhook_service.plugins.schemes import Schemes
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.scheme import Fetch, Proof, Scheme, SchemeOptions

NO_PARTS = ("all", "none")


def _fetch_nothing(url: str) -> bytes:
    raise ConnectionError("This service fetches nothing for its schemes.")


@cache
def installed() -> Plugins[Scheme[Any]]:
    """The schemes that can be parts."""
    return discover(SCHEMES, "scheme", Scheme)


class TogetherOptions(SchemeOptions):
    """The options of each part under the name of its scheme."""

    model_config = ConfigDict(extra="allow")

    _parts: tuple[tuple[str, SchemeOptions], ...] = PrivateAttr(default=())

    @property
    def parts(self) -> tuple[tuple[str, SchemeOptions], ...]:
        """Scheme names and options by alphabet: ``address`` first, before anything is fetched."""
        return self._parts

    @model_validator(mode="after")
    def _read(self) -> Self:
        given = self.model_extra or {}
        if not given:
            raise ValueError('verify: name the parts, such as "github": {"secret": "…"}.')
        self._parts = tuple((name, _options(name, given[name])) for name in sorted(given))
        return self

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The parts that have a secret: such a part is sealed and hidden as a whole."""
        targets = {plugin.name: plugin.target for plugin in installed()}
        return frozenset(
            name
            for name, target in targets.items()
            if target is not None and name not in NO_PARTS and target.Options.secret_fields()
        )


class Together(Scheme[TogetherOptions]):
    """Several schemes, of which every one has to pass.

    Args:
        fetch: how parts reach other servers.
    """

    Options = TogetherOptions
    proof = Proof(
        algorithm="every part passes; a part is the options of a scheme under its name",
        replay="as its parts",
    )

    def __init__(self, fetch: Fetch = _fetch_nothing) -> None:
        self._schemes = Schemes(installed(), fetch)

    @classmethod
    def create(cls, fetch: Fetch) -> Self:
        """One instance keeps one of each part."""
        return cls(fetch)

    def check(self, call: Call, options: TogetherOptions) -> None:
        try:
            for name, own in options.parts:
                self._schemes.get(name).check(call, own)
        except Unauthenticated:
            raise Unauthenticated(REFUSED) from None

    def greet(self, call: Call, options: TogetherOptions) -> None:
        for name, own in options.parts:
            self._schemes.get(name).greet(call, own)

    def message_id(self, call: Call, options: TogetherOptions) -> str | None:
        found = (self._schemes.get(name).message_id(call, own) for name, own in options.parts)
        return next((message for message in found if message is not None), None)


def _options(name: str, values: Any) -> SchemeOptions:
    if name in NO_PARTS:
        raise ValueError(f"verify.{name}: cannot be a part of all.")
    try:
        return installed().get(name).Options.model_validate(values)
    except PluginUnavailable as exc:
        raise ValueError(f"verify: {exc.message}") from exc
    except ValidationError as exc:
        raise ValueError(_problems(name, exc)) from None


def _problems(name: str, exc: ValidationError) -> str:
    """What is wrong with a part, without the values that may be secrets."""
    problems = []
    for error in exc.errors(include_input=False, include_url=False, include_context=False):
        path = ".".join(["verify", name, *map(str, error["loc"])])
        text = error["msg"].removeprefix("Value error, ").removeprefix("verify: ")
        problems.append(f"{path}: {text}")
    return "; ".join(problems)
