"""Senders' times as aware datetimes in UTC. A time that cannot be read is ``None``, no error.

A push must not be lost because of its time: without a time, the time of receipt orders it. Times
of 1970 and earlier are ``None`` too. A zero, or Go's ``0001-01-01``, means "not set"; read as a
time, it would make the push older than every other.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
_MAX_TEXT = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 3339, with the space that its section 5.6 allows; the zone is optional for local times.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


def read_seconds(value: object) -> datetime | None:
    """Read seconds since 1970, whole or not (``1.417566161e+09``)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _if_set(datetime.fromtimestamp(value, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def read_time(value: object, zone: timezone | None = None) -> datetime | None:
    """Read RFC 3339 with any number of fraction digits; digits below microseconds are cut.

    Args:
        zone: the zone of a text that names none; without it such a text gives ``None``.
    """
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return None
    found = _TIME.fullmatch(value.upper())
    if not found or not (found["zone"] or zone):
        return None
    try:
        moment = datetime.fromisoformat(found.string)
        return _if_set((moment if found["zone"] else moment.replace(tzinfo=zone)).astimezone(UTC))
    except (OverflowError, ValueError):
        return None


def _if_set(moment: datetime) -> datetime | None:
    return moment if moment > _EPOCH else None
