"""Order and identity of pushes: which is newer, and which two are the same.

No sender guarantees order, and some send one push several times. The rules are the project's
own; docs/architecture.md has the reasons.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from webhook_service.driver import PushEvent

MAX_AHEAD = timedelta(minutes=5)
# Senders that give neither an id nor a time repeat a push within seconds, if they do.
BLIND_WINDOW = timedelta(seconds=60)


def order_time(event: PushEvent, received: datetime) -> datetime:
    """When the push happened, for ordering.

    The sender's time, unless it is missing or so far ahead that it would freeze the slot.
    """
    if event.pushed_at is None or event.pushed_at > received + MAX_AHEAD:
        return received
    return max(event.pushed_at, datetime(1970, 1, 1, tzinfo=UTC))


def push_identity(
    format_name: str, event: PushEvent, received: datetime, message: str | None = None
) -> str:
    """A name for the push, equal for every call that reports it; 32 hex digits.

    It is made of the sender's id if there is one, else of what was pushed and when; never of the
    raw body, which differs between copies of one call.

    Args:
        message: the id of the call, if its signature covers one. It comes first: the sender's
            other ids may stand in headers that nobody signed.
    """
    if message is not None:
        occasion = ["message", message]
    elif event.source_id is not None:
        occasion = ["id", event.source_id]
    elif event.pushed_at is not None:
        occasion = ["time", event.pushed_at.isoformat()]
    else:
        occasion = ["window", str(int(received.timestamp() // BLIND_WINDOW.total_seconds()))]
    parts = [format_name, event.registry, event.repository, event.tag, event.digest, *occasion]
    return _name(parts)


def message_identity(message: str) -> str:
    """A name for a call that is not read as pushes, equal for every copy of it."""
    return _name(["message", message])


def _name(parts: Sequence[str | None]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
