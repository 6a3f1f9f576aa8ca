"""Rendering: Jinja2 with the few filters that the pages need. Everything is escaped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from webhook_service.console.words import SAID, TONES, sentence_of

# Below a minute parts of a second tell something; above they do not.
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Compiled at the start, so that nobody waits for it at the first page; the others are used later.
_OF_THE_FIRST_PAGE = ("layout.html", "macros.html", "rows.html", "deliveries.html")


class Templates:
    """The console's templates.

    Args:
        version: of the assets, in their URLs, so that browsers may keep them for a year.
    """

    def __init__(self, version: str) -> None:
        self._environment = Environment(
            loader=PackageLoader("webhook_service.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "clock": clock,
            "day": day,
            "moment": moment,
            "took": took,
            "short": short,
            "pretty": pretty,
        }
        self._environment.globals |= {
            "version": version,
            "TONES": TONES,
            "SAID": SAID,
            "sentence_of": sentence_of,
        }
        for name in _OF_THE_FIRST_PAGE:
            self._environment.get_template(name)

    def render(self, template: str, **shown: Any) -> str:
        """A whole page."""
        return self._environment.get_template(template).render(**shown)

    def part(self, template: str, macro: str, **shown: Any) -> str:
        """What a macro of a template gives."""
        module = self._environment.get_template(template).module
        return str(getattr(module, macro)(**shown)).strip()


def clock(when: datetime, now: datetime | None = None) -> str:
    """The time of today, 14:02:11; of another day with its date, 26 Nov 14:02, or 2025-11-26."""
    here, today = when.astimezone(UTC), now or datetime.now(UTC)
    if here.date() == today.date():
        return f"{here:%H:%M:%S}"
    return f"{here.day} {here:%b %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d}"


def day(when: datetime) -> str:
    """A day: Thu 26 Nov."""
    return f"{when:%a} {when.day} {when:%b}"


def moment(when: datetime | None) -> str:
    """A moment in UTC, as people read it and sort it."""
    return "" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def took(span: timedelta | None) -> str:
    """How long something took: 0.4 s, 48 s, 3 min 12 s, 2 h 5 min, 3 d 4 h."""
    if span is None:
        return "–"
    seconds = span.total_seconds()
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, name, smaller, part in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if seconds >= unit:
            whole, rest = divmod(int(seconds), unit)
            parts = rest // smaller
            return f"{whole} {name} {parts} {part}" if parts else f"{whole} {name}"
    return ""


def short(image: str) -> str:
    """An image without what goes without saying: docker.io, and most of a digest."""
    name, at, digest = image.removeprefix("docker.io/").removeprefix("library/").partition("@")
    return f"{name}{at}{digest[:15]}…" if digest else name


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)
