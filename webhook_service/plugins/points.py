"""Entry points: read from every distribution of this Python, and a bad one hides no other."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PluginOwner:
    """The distribution that an entry point comes with; all empty if none does.

    Attributes:
        requires: what it needs, as its METADATA writes it.
    """

    name: str
    version: str
    requires: tuple[str, ...]


def owner_of(point: importlib.metadata.EntryPoint) -> PluginOwner:
    """What provides an entry point."""
    return PluginOwner("", "", ()) if point.dist is None else _read(point.dist)


# Python parses the whole METADATA for each of the three; all points of a distribution share it.
@lru_cache(maxsize=64)
def _read(found: importlib.metadata.Distribution) -> PluginOwner:
    # A damaged METADATA has no name.
    name, version = found.metadata["Name"] or "", found.metadata["Version"] or ""
    return PluginOwner(name, version, tuple(found.requires or ()))


def points_by_name(
    group: str, only: Container[str] | None = None
) -> dict[str, list[importlib.metadata.EntryPoint]]:
    """The entry points of a group. More than one of a name is a conflict.

    Args:
        only: the names to keep; all if left out.
    """
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in _points(group):
        if only is not None and point.name not in only:
            continue
        others = found.setdefault(point.name, [])
        if all(other.value != point.value for other in others):
            others.append(point)
    return found


def _points(group: str) -> Iterable[importlib.metadata.EntryPoint]:
    try:
        return _installed(_state_of_path()).get(group, ())
    except Exception:
        # One line that cannot be read, in any distribution of this Python; this error names none.
        # The next function reads them one by one, and logs which it is.
        return _readable_points(group)


@lru_cache(maxsize=1)
def _installed(
    _: tuple[tuple[str, int], ...],
) -> Mapping[str, importlib.metadata.EntryPoints]:
    """All entry points by group, read once until something is installed or removed."""
    found = importlib.metadata.entry_points()
    return {group: found.select(group=group) for group in found.groups}


def _state_of_path() -> tuple[tuple[str, int], ...]:
    """The folders that hold distributions, and when each was changed: as Python keeps its own list.

    An installer makes a folder for each version of a distribution.
    """
    found = []
    for folder in sys.path:
        with suppress(OSError):
            found.append((folder, os.stat(folder or ".").st_mtime_ns))
    return tuple(found)


def _readable_points(group: str) -> Iterator[importlib.metadata.EntryPoint]:
    """The entry points of a group; a distribution whose list cannot be read has none."""
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        name = "?"
        try:
            name = distribution.metadata["Name"] or "?"
            if name in seen:
                continue  # of several versions the first on the path is what gets imported
            points = distribution.entry_points.select(group=group)
        except Exception as exc:
            said = f"{type(exc).__name__}: {exc}"
            log.warning("The entry points of the distribution %s cannot be read: %s", name, said)
            continue
        if name != "?":
            seen.add(name)
        yield from points
