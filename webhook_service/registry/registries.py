"""Registries as settings describe them, asked over one client that is made when it is needed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from webhook_service.driver import PushEvent
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.net.fetcher import outbound_of
from webhook_service.net.lazy import Lazy
from webhook_service.settings import Settings

if TYPE_CHECKING:
    from webhook_service.registry.client import RegistryClient


class Registries(Lazy["RegistryClient"]):
    """The registry client of the settings; shared by all threads.

    Args:
        anonymous: log in nowhere.
    """

    def __init__(self, settings: Settings, *, anonymous: bool = False) -> None:
        super().__init__(partial(_open, settings, anonymous))
        self._trusted_root = settings.sigstore_trusted_root

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with the digest to deploy; see ``Resolver.resolve``."""
        from webhook_service.registry.resolve import Resolver

        return Resolver(self(), self._trusted_root).resolve(event, rule)


def _open(settings: Settings, anonymous: bool) -> RegistryClient:
    from webhook_service.registry.client import RegistryClient
    from webhook_service.registry.credentials import DockerConfigFile

    file = None if anonymous else settings.docker_config
    return RegistryClient(
        outbound_of(settings)(),
        None if file is None else DockerConfigFile(file),
        insecure=settings.insecure_registries,
        blob_hosts=settings.blob_hosts,
    )
