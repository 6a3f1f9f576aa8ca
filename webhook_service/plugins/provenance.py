"""Where a plug-in comes from: its distribution, what that needs, and what it has installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from webhook_service.plugins.installed_files import InstalledFiles
from webhook_service.plugins.points import points_by_name

CORE = "webhook-service"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of a plug-in before it is loaded.

    Attributes:
        target: the module and the name of its class.
        hash: that of what its distribution has installed, see ``InstalledFiles``; empty for an
            editable installation.
        missing: distributions that the plug-in's extras name and that are not installed.
        requires: what its distribution always needs.
    """

    name: str
    target: str
    distribution: str
    version: str
    hash: str
    missing: tuple[str, ...]
    requires: tuple[str, ...]


def provenance(group: str, name: str) -> tuple[Provenance, ...]:
    """All that provide a name; more than one is a conflict, and none can be used."""
    return tuple([_of(point) for point in points_by_name(group, (name,)).get(name, ())])


def too_old(point: importlib.metadata.EntryPoint) -> str | None:
    """Why this service is too old, or too new, for what a plug-in's distribution says it needs."""
    if point.dist is None or canonicalize_name(point.dist.name) == CORE:
        return None  # what comes with the service fits it: nothing is read for it
    installed = _version(CORE)
    for need in _needs(point.dist, ""):
        if canonicalize_name(need.name) != CORE or installed is None:
            continue
        if not need.specifier.contains(installed, prereleases=True):
            return (
                f"its distribution needs {CORE}{need.specifier}, and {installed} is installed: "
                f"install a {CORE} that fits, or another version of the plug-in."
            )
    return None


def missing(point: importlib.metadata.EntryPoint) -> tuple[str, ...]:
    """Distributions that the extras of a plug-in name and that are not installed."""
    needs = [need.name for extra in point.extras for need in _needs(point.dist, extra)]
    return tuple(dict.fromkeys([name for name in needs if _version(name) is None]))


def lack(point: importlib.metadata.EntryPoint) -> str | None:
    """What ``missing`` names, and the command that installs it; None if all is there."""
    names = missing(point)
    if not names:
        return None
    owner, extras = point.dist.name if point.dist else "it", ",".join(point.extras)
    return f"it needs {', '.join(names)}: pip install '{owner}[{extras}]'."


def _of(point: importlib.metadata.EntryPoint) -> Provenance:
    found = point.dist
    always = [str(need) for need in _needs(found, "")]
    return Provenance(
        name=point.name,
        target=f"{point.module}:{point.attr}",
        distribution=(found.name if found else None) or "?",
        version=found.version if found else "",
        hash=InstalledFiles.of(point).hash,
        missing=missing(point),
        requires=tuple(always),
    )


def _needs(
    distribution: importlib.metadata.Distribution | None, extra: str
) -> Iterator[Requirement]:
    """What a distribution needs here: always, or for one of its extras alone."""
    for text in (distribution.requires or ()) if distribution else ():
        need = _parsed(text)
        if need is None:
            continue
        asked = need.marker is None or need.marker.evaluate({"extra": extra})
        always = need.marker is None or need.marker.evaluate({"extra": ""})
        if asked and (not extra or not always):
            yield need


@lru_cache(maxsize=256)
def _parsed(text: str) -> Requirement | None:
    """One line of what a distribution needs; None if pip has refused it, or will."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
