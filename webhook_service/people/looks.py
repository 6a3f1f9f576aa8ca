"""Looks: what the targets of a receiver run now, asked of its driver once for each slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook_service.driver import PushEvent
from webhook_service.errors import DriverError, Retry, WebhookServiceError
from webhook_service.model.execution import Execution
from webhook_service.model.history.revision import Sight
from webhook_service.model.receiver import Receiver
from webhook_service.people.timeline import event_of
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.store.store import Store

CANNOT_TELL = "The driver {driver} cannot look what runs; this is what is recorded."

Look = Callable[[Sequence[Execution]], Sight | None]


class Looks:
    """Asks drivers what runs."""

    def __init__(self, store: Store, receivers: CompiledReceivers) -> None:
        self._store = store
        self._receivers = receivers

    def answers(self, receiver: Receiver, execution: Execution) -> bool:
        """Whether the target of an execution can be asked: a refusal is an answer too.

        It is false where the driver cannot look.
        """
        if not isinstance(execution.event, PushEvent):
            return False
        try:
            compiled = self._receivers.of(receiver)
            shared = self._store.projects.shares(receiver.project)
            return compiled.observe(execution.event, shared=shared) is not None
        except Retry:
            return False
        except DriverError:
            return True
        except WebhookServiceError:
            return False

    def at(self, receiver: Receiver) -> Look:
        """What looks at the target of a slot, by its revisions.

        It gives None for a slot that the receiver no longer has. When a cluster did not answer
        once, the other slots are not asked.
        """
        try:
            compiled = self._receivers.of(receiver)
            shared = self._store.projects.shares(receiver.project)
        except WebhookServiceError as exc:
            why = exc.message
            return lambda found: Sight(None, why)
        failed: list[Sight] = []

        def look(found: Sequence[Execution]) -> Sight | None:
            event = event_of(found[0])
            try:
                if compiled.slot_of(event) != found[0].slot:
                    return None
                if failed:
                    return failed[0]
                seen = compiled.observe(event, shared=shared)
            except DriverError as exc:
                failed.append(Sight(None, f"Nobody knows what runs: {exc.message}"))
                return failed[0]
            except WebhookServiceError as exc:
                return Sight(None, exc.message)
            if seen is None:
                return Sight(None, CANNOT_TELL.format(driver=receiver.spec.driver))
            return Sight(seen)

        return look
