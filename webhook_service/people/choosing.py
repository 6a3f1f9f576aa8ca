"""Choosing: what people can pick while they write a receiver, and what its rules would let pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webhook_service.driver import Context, Offer, PushEvent
from webhook_service.errors import InvalidConfig, PluginUnavailable, WebhookServiceError
from webhook_service.expressions.values import ExpressionFailed
from webhook_service.images import Image
from webhook_service.match.matcher import Matcher
from webhook_service.model.ids import RECEIVER, new_id
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.boundary import guarded, shown_offers
from webhook_service.plugins.instances import Drivers, Schemes
from webhook_service.receiving.bodies.receiver import read_spec
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.store.store import Store

if TYPE_CHECKING:
    from webhook_service.registry.client import RegistryClient

MAX_REPOSITORIES = 3
MAX_TAGS = 60
TRY_SECONDS = 8.0
PATTERNS = (
    "Rules that name each repository in full, registry included, can be tried on its tags; these "
    "do not."
)


@dataclass(frozen=True, slots=True)
class TriedTag:
    """One tag of a registry; ``reason`` says why the rules do not let it pass."""

    name: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class TriedRepository:
    """The tags of a repository, those that pass first.

    Attributes:
        passing: how many of all ``total`` tags pass; ``tags`` are the first 60.
        problem: why its registry did not say.
    """

    name: str
    tags: tuple[TriedTag, ...] = ()
    passing: int = 0
    total: int = 0
    problem: str = ""


class Choosing:
    """Looks at the live system for people who write a receiver. It changes nothing.

    Args:
        alone: asks registries with the operator's logins; for a project that has the service for
            itself. ``anonymous`` is for projects that share it: no tag of another's private
            repository is shown to them.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        schemes: Schemes,
        receivers: CompiledReceivers,
        alone: Callable[[], RegistryClient],
        anonymous: Callable[[], RegistryClient],
    ) -> None:
        self._store = store
        self._drivers = drivers
        self._schemes = schemes
        self._receivers = receivers
        self._alone = alone
        self._anonymous = anonymous

    def offers(self, project: str, driver: str, config: Mapping[str, Any]) -> tuple[Offer, ...]:
        """What can be picked next for the config of a driver; see ``WebhookDriver.offers``.

        Raises:
            PluginUnavailable: there is no such driver, or it failed.
            DriverError: the live system cannot be read.
        """
        plugin = self._drivers.get(driver)
        shared = self._store.projects.shares(project)
        context = Context.without_execution(project, "", shared=shared)
        with guarded(f"The driver {driver}", PluginUnavailable):
            return shown_offers(plugin.offers(config, context))

    def tried(self, project: str, body: Mapping[str, Any]) -> tuple[TriedRepository, ...]:
        """Which of its registry's real tags the rules of a receiver would let pass.

        Raises:
            InvalidConfig: the rules cannot be used, or name no repository in full.
        """
        now = self._store.now()
        spec = read_spec(body, self._drivers, self._schemes)
        receiver = Receiver(new_id(RECEIVER), project, spec, now, now)
        matcher = self._receivers.compile(receiver).matcher
        images = matcher.named_images()
        if not images:
            raise InvalidConfig(PATTERNS)
        client = self._anonymous if self._store.projects.shares(project) else self._alone
        return tuple(_tried(matcher, image, client()) for image in images[:MAX_REPOSITORIES])


def _tried(matcher: Matcher, image: Image, client: RegistryClient) -> TriedRepository:
    try:
        names = client.repository(image, TRY_SECONDS).tags()
    except WebhookServiceError as exc:
        return TriedRepository(image.name, problem=exc.message)
    found = [TriedTag(name, _reason(matcher, image, name)) for name in reversed(names)]
    found.sort(key=lambda tag: tag.reason is not None)
    passing = sum(tag.reason is None for tag in found)
    return TriedRepository(image.name, tuple(found[:MAX_TAGS]), passing, len(found))


def _reason(matcher: Matcher, image: Image, tag: str) -> str | None:
    event = PushEvent(registry=image.registry, repository=image.repository, tag=tag)
    try:
        return matcher.refusal(event)
    except ExpressionFailed:
        return "filter_error"
