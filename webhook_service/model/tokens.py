"""API tokens: whose they are, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a token may do: everything; all but keys; only look, without the URLs."""

    OWNER = "owner"
    MEMBER = "member"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token; its secret is shown once, when it is made."""

    id: str
    project: str
    role: Role
    created: datetime
    revoked: datetime | None = None
