"""URLs in bodies. Only their host counts."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_of(url: str) -> str | None:
    """The host and port of a URL, as image references write them; ``None`` if it has no host."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or None
    except ValueError:
        return None
