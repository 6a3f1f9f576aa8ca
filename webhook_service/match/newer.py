"""The policy ``newer``: whether a tag is greater than the one that runs.

Three ways to read a tag: ``semver``; ``date`` (``2026.01.05``, ``20260105-1530``, year first,
with a time or a count of the day, or without); ``number`` (``build-412``, at the tag's end). What
stands around version, date or number has to be equal in both tags, or they cannot be compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook_service.match.versions import read_version

_DATE = re.compile(
    r"(?P<prefix>(?:.*[^0-9])?)"
    r"(?P<year>[0-9]{4})(?P<sep>[._-]?)(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})"
    r"(?:[T._-]?(?P<hour>[0-9]{2})[._-]?(?P<minute>[0-9]{2})(?:[._-]?(?P<second>[0-9]{2}))?Z?"
    r"|[._-](?P<count>[0-9]{1,3}))?"
    r"(?P<suffix>(?:[^0-9].*)?)"
)
# Seconds since 1970 have ten digits too.
_FIRST_YEAR = 1970
_NUMBER = re.compile(r"(?P<prefix>(?:.*[^0-9])?)(?P<number>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a tag stands: only tags with equal ``kind`` can be compared, by ``value``."""

    kind: tuple[str, ...]
    value: Any


Ranking = Callable[[str], Rank | None]


def is_newer(tag: str, running: str, ranking: Ranking, variant: str | None = None) -> bool | None:
    """Whether ``tag`` is greater than ``running``; None if the two cannot be compared.

    Args:
        ranking: one of ``RANKINGS``.
        variant: the text that both tags must end in after a hyphen, for rankings that cannot
            tell it themselves.
    """
    this, that = rank(tag, ranking, variant), rank(running, ranking, variant)
    if this is None or that is None or this.kind != that.kind:
        return None
    return bool(this.value > that.value)


def rank(tag: str, ranking: Ranking, variant: str | None = None) -> Rank | None:
    """Read a tag of one variant; None if it has another variant, or nothing to compare."""
    if variant is None:
        return ranking(tag)
    suffix = f"-{variant}"
    return ranking(tag.removesuffix(suffix)) if tag.endswith(suffix) else None


def by_version(tag: str) -> Rank | None:
    """Rank by semantic version; pre-releases come before their release."""
    found = read_version(tag)
    return None if found is None else Rank((found.variant,), found.version)


def by_date(tag: str) -> Rank | None:
    """Rank by the date in the tag and its time of day, or its count (``2026.01.05-2``)."""
    found = _DATE.fullmatch(tag)
    if not found:
        return None
    parts = found.group("year", "month", "day", "hour", "minute", "second")
    if not found["sep"] and len(found["month"] + found["day"]) != 4:
        return None
    try:
        moment = datetime(*(int(part or 0) for part in parts))  # type: ignore[arg-type]
    except ValueError:
        return None
    if moment.year < _FIRST_YEAR:
        return None
    return Rank((found["prefix"], found["suffix"]), (moment, int(found["count"] or 0)))


def by_number(tag: str) -> Rank | None:
    """Rank by the number at the end of the tag."""
    found = _NUMBER.fullmatch(tag)
    return Rank((found["prefix"],), int(found["number"])) if found else None


RANKINGS: Mapping[str, Ranking] = {"semver": by_version, "date": by_date, "number": by_number}
