"""Times on the command line: how long ago or from now (``2h``), or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_moment(text: str) -> datetime:
    """The moment that ``2h`` (ago) or ``2026-11-22T10:00:00Z`` stands for."""
    return _read(text, -1)


def read_end(text: str) -> datetime:
    """The moment that ``90d`` (from now) or ``2026-11-22T10:00:00Z`` stands for."""
    return _read(text, 1)


def _read(text: str, direction: int) -> datetime:
    try:
        if found := _SPAN.fullmatch(text):
            span = timedelta(**{_UNITS[found[2]]: int(found[1])})
            return datetime.now(UTC) + direction * span
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError) as exc:
        raise typer.BadParameter("give a span such as 30m, 2h or 3d, or an ISO 8601 time") from exc
