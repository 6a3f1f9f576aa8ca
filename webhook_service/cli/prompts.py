"""Asking at a terminal for what was left out; scripts get the error instead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from webhook_service.resources import SchemeResource


def ask_for_options(
    verify: str | Mapping[str, Any] | None, schemes: Callable[[], Iterable[SchemeResource]]
) -> str | Mapping[str, Any] | None:
    """The receiver's ``verify`` with the options that its scheme cannot do without.

    Secrets are not shown while they are typed. What is wrong otherwise is left to the service.

    Args:
        schemes: gets those that are installed.
    """
    given: dict[str, Any] = {"scheme": verify} if isinstance(verify, str) else dict(verify or {})
    name = given.get("scheme")
    if not name or not is_terminal():
        return verify
    for scheme in schemes():
        if scheme.name == name and scheme.options_schema:
            return _asked(given, scheme, scheme.options_schema)
    return verify


def _asked(
    given: dict[str, Any], scheme: SchemeResource, schema: Mapping[str, Any]
) -> dict[str, Any]:
    for option in schema.get("required", ()):
        if option in given:
            continue
        hidden = option in scheme.secrets
        text: str = typer.prompt(f"{scheme.name} {option}", hide_input=hidden, err=True)
        several = not hidden and schema["properties"][option].get("type") == "array"
        given[option] = [part.strip() for part in text.split(",")] if several else text
    return given


def is_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()
