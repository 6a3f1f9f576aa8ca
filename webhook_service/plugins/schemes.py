"""Scheme instances: one per scheme, made on first use, shared by all receivers.

So what one of them has fetched (the keys of an issuer) is there for every receiver.
"""

from __future__ import annotations

import threading
from typing import Any

from webhook_service.plugins.discovery import Plugins
from webhook_service.schemes.scheme import Fetch, Scheme


class Schemes:
    """The verification schemes that this service offers.

    Args:
        plugins: the scheme classes (see ``discovery``).
        fetch: how schemes reach other servers.
    """

    def __init__(self, plugins: Plugins[Scheme[Any]], fetch: Fetch) -> None:
        self._plugins = plugins
        self._fetch = fetch
        self._instances: dict[str, Scheme[Any]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Scheme[Any]:
        """The scheme with this name.

        Raises:
            PluginUnavailable: none is installed, or it is broken; the message says which.
        """
        with self._lock:
            if name not in self._instances:
                self._instances[name] = self._plugins.get(name).create(self._fetch)
            return self._instances[name]
