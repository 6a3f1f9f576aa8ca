"""Where clusters pull from; for senders that do not name the whole host of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.pushes import image_of
from webhook_service.images import normalise_registry

MAX_PLACES = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """A registry host, and the path in front of all repositories there."""

    host: str
    prefix: str = ""

    def path(self, name: str) -> str:
        """The whole path of a repository, as image references write it."""
        return f"{self.prefix}/{name}" if self.prefix else name


def place_of(text: str) -> Place:
    """Split ``registry.example:5000/team`` into host and path."""
    host, _, prefix = text.partition("/")
    return Place(host, prefix)


def only_host(places: Mapping[str, str], others: Iterable[str | None]) -> str | None:
    """The one host that all places and others share, or None; a ``None`` in others is any host."""
    hosts = {place_of(text).host for text in places.values()} | {*others}
    names = {host and normalise_registry(host) for host in hosts}
    return names.pop() if len(names) == 1 else None


def _checked(text: str) -> str:
    place = place_of(text)
    try:
        image_of(place.host, place.path("image"), "repositories")
    except InvalidPayload:
        raise ValueError("must be a registry host, alone or with a path behind it") from None
    return text


Places = Annotated[
    dict[str, Annotated[str, Field(max_length=255), AfterValidator(_checked)]],
    Field(max_length=MAX_PLACES),
]
"""An option: the sender's name of a repository -> the ``host[/path]`` that clusters pull from."""
