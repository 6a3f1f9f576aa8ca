"""Instances of plug-ins: one per driver, format and scheme, shared by all receivers.

So what one of them keeps (a cluster's connections, the keys of an issuer) is there for every
receiver.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

from webhook_service.driver import WebhookDriver
from webhook_service.errors import InvalidConfig, PluginUnavailable, WebhookServiceError
from webhook_service.formats.format import Format
from webhook_service.notifications.kind import NotificationKind
from webhook_service.plugins.boundary import ask, guarded
from webhook_service.plugins.bounded import BoundedCalls, CallLimit
from webhook_service.plugins.discovery import (
    DRIVERS,
    FORMATS,
    NOTIFICATIONS,
    SCHEMES,
    Plugins,
    discover,
)
from webhook_service.plugins.loop import CLOSE_SECONDS, PluginLoop
from webhook_service.plugins.pins import read_pins, require_installed
from webhook_service.schemes.scheme import Fetch, Scheme
from webhook_service.settings import Settings

# What a constructor may say of the options that it is given.
MAKE_ERRORS = (InvalidConfig, PluginUnavailable)
T = TypeVar("T")


class Instances(Generic[T]):
    """The plug-ins of one kind that a service offers.

    Args:
        plugins: their classes, as ``discover`` finds them.
        make: builds an instance of a class; called when the plug-in is first used.

    Attributes:
        loop: where those that are asynchronous run.
    """

    def __init__(self, plugins: Plugins[T], make: Callable[[type[T]], T]) -> None:
        self.plugins = plugins
        self.loop = PluginLoop()
        self._make = make
        self._instances: dict[str, T] = {}
        self._kept: dict[str, T] = {}
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can be used, in alphabetical order."""
        return self.plugins.names

    def get(self, name: str) -> T:
        """The plug-in with this name.

        Raises:
            PluginUnavailable: none is installed, or it is broken; the message says which.
        """
        found = self._instances.get(name)
        if found is not None:
            return found
        # Of this plug-in alone: a constructor that hangs keeps no other waiting.
        with self._making.setdefault(name, threading.Lock()):
            if name not in self._instances:
                target = self.plugins.get(name)
                with guarded(f"Making {target.__name__} ({name})", PluginUnavailable, MAKE_ERRORS):
                    self._instances[name] = ask(target, self._make, target)
            return self._instances[name]

    def keep(self, name: str, plugin: T) -> None:
        """Have a plug-in of the service itself, which nobody else can name."""
        self._kept[name] = plugin

    def kept(self, name: str) -> T:
        """The service's own plug-in with this name.

        Raises:
            PluginUnavailable: this process has none.
        """
        if name not in self._kept:
            raise PluginUnavailable(f"This process has no {name!r}: start it with its settings.")
        return self._kept[name]

    def add(self, name: str, plugin: T | type[T]) -> None:
        """Offer a plug-in of this application under a name, without an entry point.

        Args:
            plugin: an instance, or a class of which one is made when it is first used.

        Raises:
            PluginUnavailable: it breaks the contract of plug-ins, or no receiver can name it.
        """
        with self._lock:
            self.plugins.add(name, plugin if isinstance(plugin, type) else type(plugin))
            self._instances.pop(name, None)
            if not isinstance(plugin, type):
                self._instances[name] = plugin

    def close(self) -> None:
        """Close what was used and can be closed."""
        bounded = BoundedCalls()
        with self._lock:
            for instance in (*self._instances.values(), *self._kept.values()):
                if (close := getattr(instance, "close", None)) is not None:
                    what = f"Closing {type(instance).__name__}"
                    with suppress(WebhookServiceError), guarded(what, PluginUnavailable):
                        limit = CallLimit(what, CLOSE_SECONDS, what, what)
                        closing = bounded.run("", close, limit)
                        if inspect.isawaitable(closing):
                            self.loop.run(closing, CLOSE_SECONDS)
            self._instances.clear()
            self._kept.clear()
        bounded.close()
        self.loop.close()


Drivers = Instances[WebhookDriver[Any, Any]]
Formats = Instances[Format[Any]]
Schemes = Instances[Scheme[Any]]
NotificationKinds = Instances[NotificationKind[Any]]


def allowed_drivers(settings: Settings) -> Plugins[WebhookDriver[Any, Any]]:
    """The classes of the installed drivers that the settings allow.

    Raises:
        SettingsError: the settings name a driver that is not installed.
    """
    pins = read_pins(settings.drivers)
    require_installed(DRIVERS, pins)
    return discover(DRIVERS, "driver", WebhookDriver, pins)


def installed_drivers(settings: Settings) -> Drivers:
    """The installed drivers that the settings allow.

    Raises:
        SettingsError: the settings name a driver that is not installed.
    """
    return new_drivers(allowed_drivers(settings), settings.driver_options)


def new_drivers(
    plugins: Plugins[WebhookDriver[Any, Any]], options: Mapping[str, Any] | None = None
) -> Drivers:
    """Drivers that are made with the options of this deployment."""
    return Instances(plugins, lambda driver: driver(options or {}))


def new_formats(plugins: Plugins[Format[Any]] | None = None) -> Formats:
    """Formats, by default all that are installed."""
    return Instances(plugins or discover(FORMATS, "format", Format), lambda format_: format_())


def new_schemes(fetch: Fetch, plugins: Plugins[Scheme[Any]] | None = None) -> Schemes:
    """Schemes, by default all that are installed.

    Args:
        fetch: how they reach other servers.
    """
    found = plugins or discover(SCHEMES, "scheme", Scheme)
    return Instances(found, lambda scheme: scheme.create(fetch))


def new_notification_kinds(
    plugins: Plugins[NotificationKind[Any]] | None = None,
) -> NotificationKinds:
    """Kinds of notifications, by default all that are installed."""
    found = plugins or discover(NOTIFICATIONS, "kind of notification", NotificationKind)
    return Instances(found, lambda kind: kind())
