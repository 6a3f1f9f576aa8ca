"""Driver instances: one per driver, made on first use, shared by all receivers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from webhook_service.driver import WebhookDriver
from webhook_service.plugins.discovery import Plugins


class Drivers:
    """The drivers that this service offers.

    Args:
        plugins: the driver classes (see ``discovery``).
        options: what each driver is constructed with.
    """

    def __init__(
        self, plugins: Plugins[WebhookDriver[Any, Any]], options: Mapping[str, Any] | None = None
    ) -> None:
        self.plugins = plugins
        self._options = options or {}
        self._instances: dict[str, WebhookDriver[Any, Any]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> WebhookDriver[Any, Any]:
        """The driver with this name.

        Raises:
            PluginUnavailable: none is installed, or it is broken; the message says which.
        """
        with self._lock:
            if name not in self._instances:
                self._instances[name] = self.plugins.get(name)(self._options)
            return self._instances[name]

    def close(self) -> None:
        """Close every driver that was used."""
        with self._lock:
            for driver in self._instances.values():
                driver.close()
            self._instances.clear()
