"""Where a plug-in comes from: its distribution, what that needs, and what it has installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from webhook_service.plugins.installed_files import InstalledFiles
from webhook_service.plugins.points import PluginOwner, owner_of, points_by_name

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
    owner = owner_of(point)
    if canonicalize_name(owner.name) == CORE:
        return None
    installed = _version(CORE)
    for need in _needs(owner, ""):
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
    owner = owner_of(point)
    needs = [need.name for extra in point.extras for need in _needs(owner, extra)]
    return tuple(dict.fromkeys([name for name in needs if _version(name) is None]))


def lack(point: importlib.metadata.EntryPoint) -> str | None:
    """What ``missing`` names, and the command that installs it; None if all is there."""
    names = missing(point)
    if not names:
        return None
    owner, extras = owner_of(point).name or "it", ",".join(point.extras)
    return f"it needs {', '.join(names)}: pip install '{owner}[{extras}]'."


def _of(point: importlib.metadata.EntryPoint) -> Provenance:
    owner = owner_of(point)
    always = [str(need) for need in _needs(owner, "")]
    return Provenance(
        name=point.name,
        target=f"{point.module}:{point.attr}",
        distribution=owner.name or "?",
        version=owner.version,
        hash=InstalledFiles.of(point).hash,
        missing=missing(point),
        requires=tuple(always),
    )


def _needs(owner: PluginOwner, extra: str) -> Iterator[Requirement]:
    """What a distribution needs here: always, or for one of its extras alone."""
    for text in owner.requires:
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
