"""Plug-ins: found through entry points, loaded once when used, shown even when broken.

The only importer of stevedore. Its recorded pitfalls are worked around here: load errors are
only logged, of two plug-ins with one name the last wins silently, and results are cached on
disk, so that a fresh install may stay invisible.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from inspect import isabstract
from typing import Generic, TypeVar

from stevedore.extension import ExtensionManager

from webhook_service.errors import PluginUnavailable
from webhook_service.plugins.boundary import MAX_ERROR, is_for_us, storable_text
from webhook_service.telemetry.redaction import redacted

DRIVERS = "webhook_service.drivers"
FORMATS = "webhook_service.formats"
SCHEMES = "webhook_service.schemes"

MAX_NAME = 255
BAD_NAME = f"must have 1 to {MAX_NAME} characters, all of them printable"

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """One entry point: the loaded class, or why there is none."""

    name: str
    distribution: str
    version: str
    target: type[T] | None = None
    error: str | None = None


class Plugins(Generic[T]):
    """The plug-ins of one group, by name. Each is loaded when it is first asked for.

    Args:
        group: the entry-point group, for messages.
        noun: what one of them is called, for messages: "driver".
        loaders: how to load each, by name; see ``discover``.
    """

    def __init__(
        self, group: str, noun: str, loaders: Mapping[str, Callable[[], Plugin[T]]] | None = None
    ) -> None:
        self.group = group
        self._noun = noun
        self._loaders = dict(loaders or {})
        self._loaded: dict[str, Plugin[T]] = {}
        self._lock = threading.RLock()

    def __contains__(self, name: str) -> bool:
        """Whether there is one of this name, broken or not."""
        return name in self._loaders

    def __iter__(self) -> Iterator[Plugin[T]]:
        """All of them in alphabetical order, broken ones too."""
        return iter([self._load(name) for name in sorted(self._loaders)])

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can be used, in alphabetical order."""
        return tuple(self.targets)

    @property
    def targets(self) -> Mapping[str, type[T]]:
        """The classes that can be used, by name."""
        return {plugin.name: plugin.target for plugin in self if plugin.target is not None}

    def add(self, name: str, target: type[T]) -> None:
        """Offer a class under a name without an entry point, as embedding apps and tests do."""
        with self._lock:
            self._loaded.pop(name, None)
            self._loaders[name] = lambda: Plugin(name, "(this application)", "", target)

    def get(self, name: str) -> type[T]:
        """The class with this name.

        Raises:
            PluginUnavailable: none is installed, or it is broken; the message says which.
        """
        if name not in self:
            known = ", ".join(self.names) or "none"
            raise PluginUnavailable(f"There is no {self._noun} {name[:100]!r}; known: {known}.")
        plugin = self._load(name)
        if plugin.target is None:
            raise PluginUnavailable(f"The {self._noun} {name!r} cannot be used: {plugin.error}")
        return plugin.target

    def _load(self, name: str) -> Plugin[T]:
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]


def discover(group: str, noun: str, base: type[T], only: Collection[str] = ()) -> Plugins[T]:
    """Find the plug-ins of a group.

    Args:
        base: the class that every plug-in must extend.
        only: names to keep; empty keeps all. What is not kept is never imported.
    """
    return Plugins(
        group,
        noun,
        {
            name: partial(_load, group, noun, name, found, base)
            for name, found in _entry_points(group, only).items()
        },
    )


class _GuardedPoint:
    """An entry point whose load fails as an ImportError, whatever the module does.

    stevedore lets AssertionError and SystemExit through: one plug-in would take all others down.
    """

    def __init__(self, point: importlib.metadata.EntryPoint) -> None:
        self.name = point.name
        self._point = point

    def load(self) -> object:
        try:
            # What it prints is no part of the answer that a command prints.
            with redirect_stdout(sys.stderr):
                return self._point.load()
        except BaseException as exc:
            if is_for_us(exc):
                raise
            log.warning("Loading %s failed.", self._point.value, exc_info=True)
            raise ImportError(_why(exc)) from exc


def _why(exc: BaseException) -> str:
    """What Python says of an import; of anything else only the class, for callers see it."""
    if isinstance(exc, ImportError | SyntaxError | AttributeError):
        return f"{type(exc).__name__}: {redacted(storable_text(str(exc), MAX_ERROR))}"
    return f"{type(exc).__name__}; the service's log has the details."


class _Manager(ExtensionManager[object]):
    """stevedore's manager over a given list, read afresh: its cache on disk is never asked."""

    def __init__(self, group: str, points: list[_GuardedPoint], on_failure: object) -> None:
        self._points = points
        super().__init__(group, on_load_failure_callback=on_failure)  # type: ignore[arg-type]

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        return self._points  # type: ignore[return-value]


def _entry_points(
    group: str, only: Collection[str]
) -> dict[str, list[importlib.metadata.EntryPoint]]:
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in _points(group):
        if only and point.name not in only:
            continue
        others = found.setdefault(point.name, [])
        if all(other.value != point.value for other in others):
            others.append(point)
    return found


def _points(group: str) -> Iterable[importlib.metadata.EntryPoint]:
    try:
        return importlib.metadata.entry_points(group=group)
    except Exception:
        # One line that cannot be read, in any distribution of this Python; it names none.
        return _readable_points(group)


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


def _load(
    group: str, noun: str, name: str, found: list[importlib.metadata.EntryPoint], base: type[T]
) -> Plugin[T]:
    names = [(point.dist.name if point.dist else None) or "?" for point in found]
    if not (name.isprintable() and len(name) <= MAX_NAME):
        # Names stand in receivers, in logs and in the database.
        return Plugin(name, ", ".join(names), "", error=f"its name {BAD_NAME}.")
    if len(found) > 1:
        several = f"several distributions provide it ({', '.join(names)}); uninstall all but one."
        return Plugin(name, ", ".join(names), "", error=several)
    version = found[0].dist.version if found[0].dist else ""
    target, error = _load_target(group, found[0], base)
    if error is not None:
        log.warning("The %s %r cannot be used: %s", noun, name, error)
    return Plugin(name, names[0], version, target, error)


def _load_target(
    group: str, point: importlib.metadata.EntryPoint, base: type[T]
) -> tuple[type[T] | None, str | None]:
    failures: list[str] = []

    def keep_failure(_: object, point: _GuardedPoint, exc: BaseException) -> None:
        failures.append(str(exc))

    manager = _Manager(group, [_GuardedPoint(point)], keep_failure)
    target = next((extension.plugin for extension in manager), None)
    if isinstance(target, type) and issubclass(target, base) and not isabstract(target):
        return target, None
    missing = f"{point.value} is not a complete {base.__name__} subclass."
    return None, failures[0] if failures else missing
