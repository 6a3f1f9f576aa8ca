"""Who uses the command line, as the history names them."""

from __future__ import annotations

import getpass


def person(by: str | None) -> str:
    """The name that was given, else the login name."""
    return by or f"cli:{_login()}"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as containers have
        return "unknown"
