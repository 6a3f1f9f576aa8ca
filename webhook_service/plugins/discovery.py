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
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar, cast

from stevedore.extension import ExtensionManager

from webhook_service.errors import PluginUnavailable
from webhook_service.plugins.boundary import MAX_ERROR, is_for_us, storable_text
from webhook_service.plugins.contract import fault
from webhook_service.plugins.pins import Pin
from webhook_service.plugins.points import owner_of, points_by_name
from webhook_service.plugins.provenance import lack, too_old
from webhook_service.telemetry.redaction import redacted

DRIVERS = "webhook_service.drivers"
FORMATS = "webhook_service.formats"
SCHEMES = "webhook_service.schemes"
NOTIFICATIONS = "webhook_service.notifications"

MAX_NAME = 255
BAD_NAME = f"must have 1 to {MAX_NAME} characters, all of them printable"

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """One entry point: the loaded class, or why there is none.

    Attributes:
        error: why it cannot be used.
        lack: what its extra needs and is not installed. Many modules load without that, for they
            import it when it is used, so there may be a class all the same.
    """

    name: str
    distribution: str
    version: str
    target: type[T] | None = None
    error: str | None = None
    lack: str | None = None

    @property
    def state(self) -> Literal["ready", "incomplete", "broken"]:
        """``incomplete`` if an extra that nobody has installed is all that it needs."""
        if self.error not in (None, self.lack):
            return "broken"
        return "incomplete" if self.lack else "ready"

    @property
    def problem(self) -> str | None:
        """Why it is not ready, and what to do; None if it is."""
        return self.error or self.lack


class Plugins(Generic[T]):
    """The plug-ins of one group, by name. Each is loaded when it is first asked for.

    Args:
        group: the entry-point group, for messages.
        noun: what one of them is called, for messages: "driver".
        base: the class that each must extend.
        loaders: how to load each, by name; see ``discover``.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        base: type[Any],
        loaders: Mapping[str, Callable[[], Plugin[T]]] | None = None,
    ) -> None:
        self.group = group
        self._noun = noun
        self._base = base
        self._loaders = dict(loaders or {})
        self._loaded: dict[str, Plugin[T]] = {}
        self._lock = threading.Lock()
        self._loading: dict[str, threading.RLock] = {}

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
        """Offer a class under a name without an entry point, as embedding apps and tests do.

        Raises:
            PluginUnavailable: it breaks the contract of plug-ins, or no receiver can name it.
        """
        said = f"its name {BAD_NAME}." if not _is_name(name) else fault(target, self._base)
        if said:
            raise PluginUnavailable(f"The {self._noun} {str(name)[:100]!r} cannot be used: {said}")
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
        found = self._loaded.get(name)
        if found is not None:
            return found
        # Of this plug-in alone: an import that hangs keeps no other waiting.
        with self._loading.setdefault(name, threading.RLock()):
            if name not in self._loaded:
                self._loaded[name] = self._loaders[name]()
            return self._loaded[name]


def discover(
    group: str, noun: str, base: type[T], pins: Mapping[str, Pin] | None = None
) -> Plugins[T]:
    """Find the plug-ins of a group.

    Args:
        base: the class that every plug-in must extend.
        pins: those to keep, by name; empty keeps all. What is not kept, and what is another than
            its pin says, is never imported.
    """
    pins = pins or {}
    return Plugins(
        group,
        noun,
        base,
        {
            name: partial(_load, group, noun, name, found, base, pins.get(name))
            for name, found in points_by_name(group, pins or None).items()
        },
    )


def _is_name(name: object) -> bool:
    """Names stand in receivers, in logs and in the database."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= MAX_NAME


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
            owner = owner_of(self._point).name or "it"
            if lacking := lack(self._point):
                raise ImportError(lacking) from exc
            log.warning("Loading %s failed.", self._point.value, exc_info=True)
            raise ImportError(f"{_why(exc)}; install {owner} again, or remove it.") from exc


def _why(exc: BaseException) -> str:
    """What Python says of an import; of anything else only the class, for callers see it."""
    if isinstance(exc, ImportError | SyntaxError | AttributeError):
        return f"{type(exc).__name__}: {redacted(storable_text(str(exc), MAX_ERROR))}"
    return f"{type(exc).__name__}; the service's log has the details"


class _Manager(ExtensionManager[object]):
    """stevedore's manager over a given list, read afresh: its cache on disk is never asked."""

    def __init__(self, group: str, points: list[_GuardedPoint], on_failure: object) -> None:
        self._points = points
        super().__init__(group, on_load_failure_callback=on_failure)  # type: ignore[arg-type]

    def list_entry_points(self) -> list[importlib.metadata.EntryPoint]:
        return self._points  # type: ignore[return-value]


def _load(
    group: str,
    noun: str,
    name: str,
    found: list[importlib.metadata.EntryPoint],
    base: type[T],
    pin: Pin | None,
) -> Plugin[T]:
    names = [owner_of(point).name or "?" for point in found]
    if not _is_name(name):
        return Plugin(name, ", ".join(names), "", error=f"its name {BAD_NAME}.")
    if len(found) > 1:
        several = f"several distributions provide it ({', '.join(names)}); uninstall all but one."
        return Plugin(name, ", ".join(names), "", error=several)
    version = owner_of(found[0]).version
    target, error = None, (pin and pin.refusal(found[0])) or too_old(found[0])
    if error is None:
        target, error = _load_target(group, found[0], base)
    plugin = Plugin(name, names[0], version, target, error, lack(found[0]))
    if error is not None:
        # What an extra is for is no fault of an installation without it: lists show it.
        level = logging.INFO if plugin.state == "incomplete" else logging.WARNING
        log.log(level, "The %s %r cannot be used: %s", noun, name, error)
    return plugin


def _load_target(
    group: str, point: importlib.metadata.EntryPoint, base: type[T]
) -> tuple[type[T] | None, str | None]:
    failures: list[str] = []

    def keep_failure(_: object, point: _GuardedPoint, exc: BaseException) -> None:
        failures.append(str(exc))

    manager = _Manager(group, [_GuardedPoint(point)], keep_failure)
    target = next((extension.plugin for extension in manager), None)
    if failures:
        return None, failures[0]
    error = fault(target, base)
    return (None, error) if error else (cast(type[T], target), None)
