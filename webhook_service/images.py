"""Image references: the only place that knows how registries, repositories and tags are written.

Grammar: https://github.com/distribution/reference. ``nginx`` means
``docker.io/library/nginx``; Docker Hub's three host names are one registry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from webhook_service.errors import InvalidRequest

DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class InvalidImage(InvalidRequest):
    """A text that is not an image reference, tag or digest."""

    code = "invalid_image"


@dataclass(frozen=True, slots=True)
class Image:
    """A normalised image reference, such as ``docker.io/acme/shop:1.2.3@sha256:…``."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository: what must be equal for an image to replace another."""
        return f"{self.registry}/{self.repository}"

    def at(self, tag: str | None, digest: str | None = None) -> Image:
        """The same repository at another tag and digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@lru_cache(maxsize=4096)
def parse_image(text: str) -> Image:
    """Read an image reference as Docker's command line does, with Docker Hub as the default.

    The same few are read again and again: ten times for each push to a cluster.

    Raises:
        InvalidImage: the text is not a reference.
    """
    if not text.isprintable():
        raise InvalidImage("An image reference holds printable characters only.")
    # It compiles its grammar when it is imported: 40 ms that no start has to wait for.
    from docker_image.reference import InvalidReference, Reference

    try:
        reference = Reference.parse_normalized_named(text)
        registry, repository = reference.split_hostname()
    except (InvalidReference, ValueError) as exc:
        raise InvalidImage(f"{text[:300]!r} is not an image reference: {exc}") from exc
    registry = normalise_registry(registry)
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Image(registry, repository, reference["tag"], reference["digest"])


def parse_repository(text: str) -> Image:
    """Read a repository name without tag and digest.

    Raises:
        InvalidImage: the text is not a repository name, or names a tag or digest too.
    """
    image = parse_image(text)
    if image.tag or image.digest:
        raise InvalidImage(f"{text[:300]!r} names a tag or digest; give the repository alone.")
    return image


def normalise_registry(host: str) -> str:
    """One spelling for a registry host: lower case, and one name for Docker Hub."""
    host = host.lower()
    return DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


def mirrored(image: Image, mirrors: Mapping[str, str]) -> tuple[str, ...]:
    """The names under which a mirror has a repository; empty if none is said for it.

    Args:
        mirrors: a registry, or a registry with the beginning of a path, and what stands instead of
            it; the longest that fits counts.
    """
    fitting = [each for each in mirrors if f"{image.name}/".startswith(f"{each}/")]
    if not fitting:
        return ()
    source = max(fitting, key=len)
    rest = image.name[len(source) :]
    # Proxies take Docker Hub's own images with and without the part that its users leave out.
    short = [rest.removeprefix("/library")] if source == DOCKER_HUB else []
    return tuple(dict.fromkeys(mirrors[source] + each for each in (rest, *short)))


def is_tag(text: str) -> bool:
    """Whether the text is a tag by the distribution spec (``sha256:…`` is not)."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether the text is a sha256 or sha512 digest in the OCI form."""
    return _DIGEST.fullmatch(text) is not None
