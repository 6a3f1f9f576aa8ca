"""Repository rules: exact names or globs, with or without the registry's host.

``*`` stands for any text within one path component, ``**`` for any components. A rule without a
host means Docker Hub where the format sends nothing else, and any host otherwise; only a rule
that fixes the host can allow a container to change to another repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.images import DOCKER_HUB, Image, normalise_registry

MAX_LENGTH = 512
MAX_WILDCARDS = 8


@dataclass(frozen=True, slots=True)
class RepositoryRule:
    """One pattern; ``host`` is None if the rule leaves the registry open."""

    host: str | None
    path: tuple[str, ...]

    def matches(self, event: PushEvent) -> bool:
        """Whether the rule covers the event's repository."""
        if self.host is not None and self.host != event.registry:
            return False
        return _match_path(self.path, event.repository.split("/"))

    @property
    def fixes_host(self) -> bool:
        return self.host is not None

    def image(self) -> Image | None:
        """The one repository that the rule names; None if it is a pattern."""
        path = "/".join(self.path)
        return None if self.host is None or _is_pattern(path) else Image(self.host, path)


def parse_rule(pattern: str, home: str | None) -> RepositoryRule:
    """Read a pattern.

    Args:
        home: the registry meant by a pattern without a host, if there is only one.

    Raises:
        InvalidConfig: the pattern cannot match any repository.
    """
    text = pattern.strip()
    if not text or len(text) > MAX_LENGTH or text.count("*") > MAX_WILDCARDS:
        raise InvalidConfig(
            f"A repository rule needs 1 to {MAX_LENGTH} characters and at most "
            f"{MAX_WILDCARDS} '*', such as acme/shop or registry.example:5000/acme/*."
        )
    first, slash, rest = text.partition("/")
    host: str | None
    if slash and (first == "localhost" or "." in first or ":" in first):
        host, path = normalise_registry(first), rest
    else:
        host, path = home, text
    if "@" in path or ":" in path:
        raise InvalidConfig(f"{text!r} names a tag or digest; put tags into match.tags.")
    if path != path.lower():
        raise InvalidConfig(f"{text!r}: repositories are lower case.")
    components = tuple(path.split("/"))
    if host == DOCKER_HUB and len(components) == 1 and components != ("**",):
        components = ("library", *components)
    return RepositoryRule(host, components)


def parse_rules(patterns: Sequence[str], home: str | None) -> tuple[RepositoryRule, ...]:
    """Read all patterns of a receiver (see ``parse_rule``)."""
    return tuple(parse_rule(pattern, home) for pattern in patterns)


def _is_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _match_path(pattern: Sequence[str], path: Sequence[str]) -> bool:
    if not pattern:
        return not path
    head, *tail = pattern
    if head == "**":
        return any(_match_path(tail, path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], head) and _match_path(tail, path[1:])
