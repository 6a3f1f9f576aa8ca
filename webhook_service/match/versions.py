"""Tags that are semantic versions: the version, and the variant of the image behind it.

``1.2.3-alpine3.19`` and ``1.2.3-rc1`` have one grammar (https://semver.org) and two meanings: a
word of a fixed list makes a pre-release, any other text after the version is a variant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from semantic_version import Version

_TAG = re.compile(r"v?(?P<core>[0-9]+\.[0-9]+\.[0-9]+)(?:-(?P<rest>.+))?")
_PRE_RELEASE = re.compile(
    r"(?P<pre>(?:alpha|beta|a|b|m|milestone|rc|cr|c|ea|pre|preview|dev|next|canary|nightly"
    r"|snapshot)(?:[.-]?[0-9]+(?:[.-][0-9]+)*)?|[0-9]+(?:\.[0-9]+)*)(?:-(?P<variant>.+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class TaggedVersion:
    """A tag's version, its pre-release included, and the variant without its hyphen, or ""."""

    version: Version
    variant: str

    @property
    def is_pre_release(self) -> bool:
        return bool(self.version.prerelease)


def read_version(tag: str) -> TaggedVersion | None:
    """Read a tag: three numbers, with one leading v or without; None if it is no such version."""
    found = _TAG.fullmatch(tag)
    if not found:
        return None
    pre, variant = _split(found["rest"] or "")
    try:
        version = Version(found["core"] + (f"-{pre}" if pre else ""))
    except ValueError:
        return None
    return TaggedVersion(version, variant)


def _split(rest: str) -> tuple[str, str]:
    found = _PRE_RELEASE.fullmatch(rest)
    return (found["pre"], found["variant"] or "") if found else ("", rest)
