"""Looks: what the targets of a receiver run now, asked of its driver once for each slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from webhook_service.driver import Observed, PushEvent
from webhook_service.errors import DriverError, Retry, WebhookServiceError
from webhook_service.model.execution import Execution
from webhook_service.model.history.revision import Sight
from webhook_service.model.receiver import Receiver
from webhook_service.people.timeline import event_of
from webhook_service.plugins.bounded import BoundedCalls, CallLimit
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.receiving.compiled import CompiledReceiver
from webhook_service.store.store import Store

CANNOT_TELL = "The driver {driver} cannot look what runs; this is what is recorded."

LOOK = CallLimit(
    "A look at what runs",
    45.0,
    "Nobody knows what runs: the driver did not answer in 45 s.",
    "Nobody knows what runs: the driver hangs; the log of the service says where.",
)

Look = Callable[[Sequence[Execution]], Sight | None]


class Looks:
    """Asks drivers what runs.

    Args:
        bounded: asks them, and gives up those that hang.
    """

    def __init__(self, store: Store, receivers: CompiledReceivers, bounded: BoundedCalls) -> None:
        self._store = store
        self._receivers = receivers
        self._bounded = bounded

    def answers(self, receiver: Receiver, execution: Execution) -> bool:
        """Whether the target of an execution can be asked: a refusal is an answer too.

        It is false where the driver cannot look.
        """
        if not isinstance(execution.event, PushEvent):
            return False
        try:
            compiled = self._receivers.of(receiver)
            shared = self._store.projects.shares(receiver.project)
            return self._observe(compiled, execution.event, shared=shared) is not None
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
                seen = self._observe(compiled, event, shared=shared)
            except DriverError as exc:
                failed.append(Sight(None, f"Nobody knows what runs: {exc.message}"))
                return failed[0]
            except WebhookServiceError as exc:
                return Sight(None, exc.message)
            if seen is None:
                return Sight(None, CANNOT_TELL.format(driver=receiver.spec.driver))
            return Sight(seen)

        return look

    def _observe(
        self, compiled: CompiledReceiver, event: PushEvent, *, shared: bool
    ) -> tuple[Observed, ...] | None:
        observe = partial(compiled.observe, event, shared=shared)
        return self._bounded.run(compiled.receiver.id, observe, LOOK)
