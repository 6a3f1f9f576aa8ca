"""Identifiers and secrets: every random value the service hands out.

Ids are ``rcv_…``, ``inb_…``, ``dlv_…``, ``exe_…`` over UUIDv7 (RFC 9562), so that they sort by
time. Endpoint keys are ``whk_`` and API tokens ``wht_``, each with 256 random bits; only their
SHA-256 is stored in clear. v1.6 drew keys of 40 letters and digits, and before that, for its
``?token=`` URLs, UUIDs of version 4: such a key can be taken over, and is never made anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from datetime import datetime, timedelta

from webhook_service.errors import InvalidConfig

RECEIVER = "rcv"
INBOX = "inb"
DELIVERY = "dlv"
EXECUTION = "exe"
KEY_OVERLAP = timedelta(hours=24)
"""For which an old key works beside its successor, if nobody says how long."""

_KEY = re.compile(r"whk_[A-Za-z0-9_-]{43}")
_V16_KEY = re.compile(
    r"[A-Za-z0-9]{40}|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
_EXECUTION_ID = re.compile(r"exe_[0-9a-f]{32}")
_TOKEN = re.compile(r"wht_[A-Za-z0-9_-]{43}")
_ANY = re.compile(r"\b(wh[ktsl]_)[A-Za-z0-9_-]{43}")


def require_project_id(project: str) -> None:
    """
    Raises:
        InvalidConfig: no project may have this id.
    """
    if not project or len(project) > 255 or not project.isprintable() or project.endswith("/"):
        raise InvalidConfig("A project id has 1 to 255 printable characters, the last no slash.")


def new_id(kind: str) -> str:
    """A new identifier of a kind: its prefix and the 32 hex digits of a UUIDv7."""
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    upper, lower = random >> 68, random & (1 << 62) - 1
    return f"{kind}_{millis:012x}7{upper:03x}{1 << 63 | lower:016x}"


def earliest_id(kind: str, moment: datetime) -> str:
    """What no identifier of a kind that was made at or after a moment sorts before."""
    millis = max(int(moment.timestamp() * 1000), 0)
    return f"{kind}_{millis:012x}"


def new_key() -> str:
    """A new endpoint key, ``whk_`` and 43 characters."""
    return "whk_" + secrets.token_urlsafe(32)


def new_token() -> str:
    """A new API token, ``wht_`` and 43 characters."""
    return "wht_" + secrets.token_urlsafe(32)


def is_key(text: str) -> bool:
    """Whether the text has the form of an endpoint key; checked before any look-up."""
    return _KEY.fullmatch(text) is not None or is_v16_key(text)


def is_v16_key(text: str) -> bool:
    """Whether the text has the form of a key that v1.6 drew."""
    return _V16_KEY.fullmatch(text) is not None


def is_execution_id(text: str) -> bool:
    """Whether the text has the form of an execution's id."""
    return _EXECUTION_ID.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Whether the text has the form of an API token; checked before any look-up."""
    return _TOKEN.fullmatch(text) is not None


def fingerprint(secret: str) -> str:
    """SHA-256 of a key or token, in hex: what the database knows it by."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def hide_keys(text: str) -> str:
    """The text with a mark for each endpoint key, API token, session and login link in it."""
    return _ANY.sub(r"\1…", text)
