"""Sessions: people who are logged in at the console, and the links by which they come in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from webhook_service.model.people.tokens import Role

SESSION_LIFETIME = timedelta(hours=12)
LINK_LIFETIME = timedelta(minutes=10)
MAX_SESSIONS = 20
"""Of one person; one more ends the oldest."""
MAX_PROJECTS = 200

_SECRET = re.compile(r"wh[sl]_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """Somebody who is logged in.

    Attributes:
        actor: who it is, for the history, the audit and votes; of an API token its id, so that a
            token and its sessions are one person.
        name: who it is, for people to read.
        grants: the role in each project that may be seen.
        expires: when it ends by itself.
        token: the id of the API token that it was opened with; it ends with that one.
    """

    actor: str
    name: str
    grants: Mapping[str, Role]
    expires: datetime
    token: str | None = None


def new_session_secret() -> str:
    """A new session's secret, ``whs_`` and 43 characters."""
    return "whs_" + secrets.token_urlsafe(32)


def new_link_secret() -> str:
    """The secret of a new link that logs in, ``whl_`` and 43 characters."""
    return "whl_" + secrets.token_urlsafe(32)


def is_session_secret(text: str) -> bool:
    """Whether the text has the form of a session's or a link's secret."""
    return _SECRET.fullmatch(text) is not None
