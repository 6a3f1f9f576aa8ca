"""Mirrors: under which name a target pulls what was pushed to another registry."""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.errors import InvalidConfig
from webhook_service.images import InvalidImage, normalise_registry, parse_repository

MAX_LENGTH = 255


def parse_mirrors(mirrors: Mapping[str, str]) -> Mapping[str, str]:
    """Read what a receiver says of its mirrors: one spelling for each registry.

    Raises:
        InvalidConfig: one side is no registry, with or without the beginning of a path, or both
            are the same, or one registry has two mirrors.
    """
    found: dict[str, str] = {}
    for source, mirror in mirrors.items():
        pushed, pulled = _prefix(source), _prefix(mirror)
        if pushed == pulled:
            raise InvalidConfig(f"match.mirrors: {source!r} is no mirror of itself; leave it out.")
        if found.setdefault(pushed, pulled) != pulled:
            raise InvalidConfig(f"match.mirrors: {pushed!r} has two mirrors; name one.")
    return found


def _prefix(text: str) -> str:
    """A registry with the beginning of a path; by the grammar of image references."""
    host, slash, path = text.strip().rstrip("/").partition("/")
    try:
        if len(text) > MAX_LENGTH or not _is_host(host):
            raise InvalidImage("it does not begin with a registry")
        parse_repository(f"{host}{slash}{path}/a/b")
    except InvalidImage as error:
        raise InvalidConfig(
            f"match.mirrors: {text[:MAX_LENGTH]!r} is no registry, with or without the beginning "
            'of a path: write it as in {"docker.io": "harbor.example/dockerhub"}.'
        ) from error
    return f"{normalise_registry(host)}{slash}{path}"


def _is_host(text: str) -> bool:
    return text == "localhost" or "." in text or ":" in text
