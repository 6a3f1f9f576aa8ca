"""Times on the command line: how long ago (``2h``), or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_moment(text: str) -> datetime:
    """The moment that ``2h`` (ago) or ``2026-11-22T10:00:00Z`` stands for."""
    if found := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter("give an age such as 30m, 2h or 3d, or an ISO 8601 time") from exc
    return moment if moment.tzinfo else moment.astimezone()
