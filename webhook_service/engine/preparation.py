"""Before the first step of a push: is it newer than what runs, and what is it at its registry.

Both look at the world, which may have changed since the push was accepted; so they belong here and
not to matching. They happen once: the event that comes out is kept with the execution.
"""

from __future__ import annotations

from typing import Any, Protocol

from webhook_service.driver import Context, DriverConfig, PushEvent, WebhookDriver
from webhook_service.match.tags import NewerTest, newer_test
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Claim
from webhook_service.model.registry_rule import RegistryRule


class Resolves(Protocol):
    """Whoever asks registries: ``webhook_service.registry.resolve.Resolver``."""

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        """The event with its digest, after all that the rule asks."""

    def close(self) -> None:
        """Close its connections."""


class NotNewer(Exception):
    """The target runs a tag that the pushed one is not newer than."""

    reason = Reason.NOT_NEWER


def prepare(
    claim: Claim,
    event: PushEvent,
    driver: WebhookDriver[Any, Any],
    config: DriverConfig,
    context: Context,
    resolver: Resolves | None,
) -> PushEvent:
    """Check and complete a push; gives the event that the driver is to deploy.

    A rollback is taken as it is.

    Raises:
        NotNewer: the receiver's tag policy is ``newer``, and the tag is not.
        DriverError, Retry: what the registry or the driver says.
    """
    if claim.execution.rolls_back:
        return event  # it ran here before, and the way back must not depend on a registry
    if (is_newer := newer_test(claim.tags)) is not None:
        _require_newer(is_newer, event, driver.running(config, event, context))
    if claim.registry is None or resolver is None:
        return event
    return resolver.resolve(event, claim.registry)


def _require_newer(is_newer: NewerTest, event: PushEvent, running: tuple[str, ...]) -> None:
    for tag in running:
        # The same tag is the driver's to judge: it may be this very push, before a crash.
        if tag != event.tag and not is_newer(event.tag or "", tag):
            raise NotNewer(f"The target runs {tag}, and {event.tag} is not newer.")
