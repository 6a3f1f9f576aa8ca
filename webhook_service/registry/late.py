"""The registry client that settings describe, built when the first receiver needs it.

Most services never ask a registry, and the HTTP client takes a good part of a start.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from webhook_service.driver import PushEvent
from webhook_service.model.registry_rule import RegistryRule
from webhook_service.settings import Settings

if TYPE_CHECKING:
    from webhook_service.net.outbound import Outbound
    from webhook_service.registry.client import RegistryClient


def outbound_of(settings: Settings) -> Outbound:
    """The outbound client that settings describe."""
    from webhook_service.net.outbound import Outbound

    return Outbound(allow_private=settings.allow_private)


class LateClient:
    """Builds its registry client on first use; shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._outbound: Outbound | None = None
        self._client: RegistryClient | None = None

    def __call__(self) -> RegistryClient:
        """The client that the settings describe."""
        with self._lock:
            self._client = self._client or self._build()
            return self._client

    def close(self) -> None:
        """Close the connections to registries."""
        with self._lock:
            if self._outbound is not None:
                self._outbound.close()
            self._outbound = self._client = None

    def _build(self) -> RegistryClient:
        from webhook_service.registry.client import RegistryClient
        from webhook_service.registry.credentials import DockerConfigFile

        settings = self._settings
        file = settings.docker_config
        self._outbound = outbound_of(settings)
        return RegistryClient(
            self._outbound,
            None if file is None else DockerConfigFile(file),
            insecure=settings.insecure_registries,
            blob_hosts=settings.blob_hosts,
        )


class LateResolver:
    """Asks registries through a late client; shared by all threads."""

    def __init__(self, settings: Settings) -> None:
        self._client = LateClient(settings)

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with the digest to deploy; see ``Resolver.resolve``."""
        from webhook_service.registry.resolve import Resolver

        return Resolver(self._client()).resolve(event, rule)

    def close(self) -> None:
        """Close the connections to registries."""
        self._client.close()
