"""How old an image is: by what it says of itself, else by when its push came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webhook_service.driver import PushEvent
from webhook_service.formats.reading.times import read_time

# Builds that can be repeated bit for bit say 1970 or 1980. No image is older than the first
# release of Docker, of March 2013.
FIRST_IMAGES = datetime(2013, 3, 1, tzinfo=UTC)


class Birth(NamedTuple):
    """From when on an image grows older, and whether it says so itself."""

    at: datetime
    said: bool


def birth(event: PushEvent, received: datetime) -> Birth:
    """When an image was built, as it says.

    Where it says nothing that can be true, it is as old as its push: never older than it is.

    Args:
        event: with the facts that were read at the registry.
        received: when the push came; nothing was built after that.
    """
    created = read_time(event.facts.created if event.facts else None, UTC)
    if created is None or not FIRST_IMAGES <= created <= received:
        return Birth(received, False)
    return Birth(created, True)


def told_age(event: PushEvent, received: datetime, wanted: str, until: datetime) -> str:
    """What people read of an image that is too young; true for as long as it is held.

    Args:
        wanted: the age that it is to have, as its receiver says it.
        until: when it has it.
    """
    born = birth(event, received)
    if born.said:
        told = f"was built on {_day(born.at)}, {_span(received - born.at)} before its push"
    else:
        told = f"does not say when it was built: its age counts from its push on {_day(received)}"
    return f"{event.image} {told}. It is to be {wanted} old, and goes on at {_day(until)}."


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    """A span in its two largest units: ``3 days 4 h``."""
    minutes = int(span.total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} day{'s' * (days > 1)} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
