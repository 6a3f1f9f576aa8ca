"""Repository rules: exact names or globs, with or without the registry's host.

``*`` stands for any text within one path component, ``**`` for any components. A rule without a
host means Docker Hub where the format sends nothing else, and any host otherwise; only a rule
that fixes the host can allow a container to change to another repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.glob import Glob, compile_path_glob, is_pattern
from webhook_service.images import DOCKER_HUB, Image, normalise_registry

MAX_LENGTH = 512
MAX_WILDCARDS = 8


@dataclass(frozen=True, slots=True)
class RepositoryRule:
    """One pattern; ``host`` is None if the rule leaves the registry open."""

    host: str | None
    path: str
    fits: Glob = field(compare=False, repr=False)

    def matches(self, event: PushEvent) -> bool:
        """Whether the rule covers the event's repository."""
        return self.host in (None, event.registry) and self.fits(event.repository)

    @property
    def fixes_host(self) -> bool:
        return self.host is not None

    def image(self) -> Image | None:
        """The one repository that the rule names; None if it is a pattern."""
        named = self.host is not None and not is_pattern(self.path)
        return Image(self.host or "", self.path) if named else None


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
    return RepositoryRule(host, "/".join(components), compile_path_glob(components))


def parse_rules(patterns: Sequence[str], home: str | None) -> tuple[RepositoryRule, ...]:
    """Read all patterns of a receiver (see ``parse_rule``)."""
    return tuple(parse_rule(pattern, home) for pattern in patterns)
