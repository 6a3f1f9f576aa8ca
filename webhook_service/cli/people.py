"""Who uses the command line, as the history and the audit name them."""

from __future__ import annotations

import getpass
import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook_service.model.people.audit import Actor


def person(by: str | None = None) -> Actor:
    """Somebody with the name that was given, else the login name, on the account of this process.

    The login name is what the environment says. The account is what the system says.
    """
    from webhook_service.model.people.audit import Actor

    return Actor(by or f"cli:{_login()}", "cli", _account())


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as containers have
        return "unknown"
