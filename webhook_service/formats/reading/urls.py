"""URLs in bodies, of which only the host counts."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_of(url: str) -> str | None:
    """The host of a URL with its port, as image references write it; ``None`` if there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or None
    except ValueError:
        return None
