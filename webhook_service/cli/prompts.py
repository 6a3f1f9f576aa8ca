"""Asking at a terminal for what was left out; scripts get the error instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from webhook_service.plugins.instances import Schemes


def ask_for_options(
    verify: str | Mapping[str, Any] | None, schemes: Schemes
) -> str | Mapping[str, Any] | None:
    """The receiver's ``verify`` with the options that its scheme cannot do without.

    Secrets are not shown while they are typed. What is wrong otherwise is left to the service.
    """
    given: dict[str, Any] = {"scheme": verify} if isinstance(verify, str) else dict(verify or {})
    name = given.get("scheme")
    if not is_terminal() or name not in schemes.names:
        return verify
    model = schemes.get(name).Options
    for field_name, field in model.model_fields.items():
        option = field.alias or field_name
        if field.is_required() and option not in given:
            hidden = option in model.secret_fields()
            text: str = typer.prompt(f"{name} {option}", hide_input=hidden, err=True)
            several = not hidden and "tuple" in str(field.annotation)
            given[option] = [part.strip() for part in text.split(",")] if several else text
    return given


def is_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()
