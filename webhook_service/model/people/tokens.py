"""API tokens: whose they are, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from webhook_service.errors import InvalidConfig

MAX_NAME = 255
LAST_USE = timedelta(minutes=5)
"""How exact the last use of a token is: it is written at most this often."""


class Role(StrEnum):
    """What a token may do: everything; all but keys; only look, without the URLs."""

    OWNER = "owner"
    MEMBER = "member"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token; its secret is shown once, when it is made.

    Attributes:
        name: what it is for; "" if nobody said.
        expires: when it ends by itself; None if never.
        used: about when it was last used, within ``LAST_USE``; None if never.
    """

    id: str
    project: str
    role: Role
    created: datetime
    revoked: datetime | None = None
    name: str = ""
    expires: datetime | None = None
    used: datetime | None = None


def check_token(name: str, expires: datetime | None, now: datetime) -> None:
    """Make sure that a new token can be stored, and be of use.

    Raises:
        InvalidConfig: the message says what to change.
    """
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidConfig(f"name: must have up to {MAX_NAME} printable characters.")
    if expires is not None and expires.tzinfo is None:
        raise InvalidConfig("expires: must be aware of its zone.")
    if expires is not None and expires <= now:
        raise InvalidConfig("expires: must be in the future.")
