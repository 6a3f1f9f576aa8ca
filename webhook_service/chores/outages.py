"""Outages: what waits for a cluster is tried as soon as the cluster answers again.

A retry waits longer each time, so after a long outage its next try may be an hour off. This chore
asks one target of each receiver that waits; when it answers, all that wait with it are woken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook_service.errors import NotFound
from webhook_service.people.looks import Looks
from webhook_service.store.endpoints.receivers import ReceiverStore
from webhook_service.store.queue.outages import OutageStore
from webhook_service.store.retention import ChoreStep

LOOK_SECONDS = 10.0


class Outages:
    """Looks at one receiver in each step.

    Args:
        wake: tells the engine of executions that may run now.
    """

    name = "outages"
    every = LOOK_SECONDS

    def __init__(
        self,
        store: OutageStore,
        receivers: ReceiverStore,
        looks: Looks,
        wake: Callable[[Sequence[str]], None],
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._looks = looks
        self._wake = wake

    def step(self, cursor: str) -> ChoreStep:
        """Ask for the next receiver after the one that the cursor names."""
        waiting = self._store.next_waiting(cursor)
        if waiting is None:
            return ChoreStep("", True, 0)
        try:
            receiver = self._receivers.get(waiting.project, waiting.receiver)
        except NotFound:
            return ChoreStep(waiting.receiver, False, 0)
        woken: Sequence[str] = ()
        if self._looks.answers(receiver, waiting):
            woken = self._store.wake(waiting.receiver)
            self._wake(woken)
        return ChoreStep(waiting.receiver, False, len(woken))
