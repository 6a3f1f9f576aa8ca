"""Ages: of each push that ``match.minimumAge`` holds, the registry is asked how old its image is.

Before its turn, and apart from it: what runs meanwhile goes on, and an older image that is old
enough is deployed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from webhook_service.chores.breaker import Breaker
from webhook_service.driver import PushEvent
from webhook_service.errors import DriverError, NotFound, OutboundError, Retry
from webhook_service.model.execution import Execution
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.registries import Registries
from webhook_service.store.queue.holding import RELEASE
from webhook_service.store.retention import ChoreStep
from webhook_service.store.store import Store

LOOK_SECONDS = 5.0
GIVE_UP = timedelta(days=2)
"""After so long without an answer a push fails; it can be replayed."""

log = logging.getLogger(__name__)


class Ages:
    """Asks for one image in each step; a registry that does not answer is left alone for a while.

    Args:
        wake: tells the engine of executions that may run now.
    """

    name = "ages"
    every = LOOK_SECONDS

    def __init__(
        self,
        store: Store,
        registries: Registries,
        wake: Callable[[Sequence[str]], None],
        breaker: Breaker | None = None,
    ) -> None:
        self._store = store
        self._registries = registries
        self._wake = wake
        self._breaker = breaker or Breaker()

    def step(self, cursor: str) -> ChoreStep:
        """Ask for the next execution after the one that the cursor names."""
        found = self._store.ages.next_unknown(cursor)
        if found is None:
            return ChoreStep("", True, 0)
        rule = self._rule(found)
        if rule is None or not isinstance(found.event, PushEvent):
            self._store.ages.answered(found.id)
            self._wake([found.id])
        elif not self._breaker.left(found.event.registry):
            self._ask(found, found.event, rule)
        return ChoreStep(found.id, False, 1)

    def _rule(self, execution: Execution) -> RegistryRule | None:
        """How the registry is asked; None if the receiver no longer wants to know."""
        try:
            spec = self._store.receivers.get(execution.project, execution.receiver).spec
        except NotFound:
            return None
        return spec.registry if spec.match.minimum_age else None

    def _ask(self, execution: Execution, event: PushEvent, rule: RegistryRule) -> None:
        try:
            event = self._registries.resolve(event, rule)
            if event.facts is None:
                raise Retry(
                    f"What {event.image} says of itself cannot be read at its registry.",
                    code="registry_unavailable",
                )
        except (Retry, OutboundError) as exc:
            if isinstance(exc, OutboundError) and not exc.transient:
                return self._store.ages.failed(execution.id, exc.message, exc.code)
            return self._unanswered(execution, event, exc)
        except DriverError as exc:
            return self._store.ages.failed(execution.id, exc.message, exc.reason)
        self._breaker.answered(event.registry)
        self._store.ages.answered(execution.id, event)
        self._wake([execution.id])

    def _unanswered(
        self, execution: Execution, event: PushEvent, exc: Retry | OutboundError
    ) -> None:
        self._breaker.failed(event.registry, exc.after if isinstance(exc, Retry) else 0.0)
        log.warning("How old %s is cannot be asked now: %s", event.image, exc.message)
        if self._store.now() - execution.created > GIVE_UP:
            message = f"Given up after {GIVE_UP.days} days: {exc.message}"
            return self._store.ages.failed(execution.id, message, _reason(exc))
        release = RELEASE.format(id=execution.id, project=execution.project)
        message = f"It is not known how old {event.image} is, and it is asked again: {exc.message}"
        self._store.ages.unanswered(execution.id, f"{message} {release}")


def _reason(exc: Retry | OutboundError) -> str:
    return exc.reason if isinstance(exc, Retry) else exc.code
