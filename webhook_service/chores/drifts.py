"""Drifts: a deployed image that somebody took back is noticed, and told once.

The history says so whenever people look; this chore looks for them, for a day after each change.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from webhook_service.driver import Observed
from webhook_service.errors import NotFound
from webhook_service.model.execution import Execution
from webhook_service.people.history import drift, expected_of, told
from webhook_service.people.looks import Looks
from webhook_service.people.timeline import event_of
from webhook_service.store.retention import ChoreStep
from webhook_service.store.store import Store
from webhook_service.telemetry.observer import Drifted, Observer

LOOK_SECONDS = 60.0
YOUNG = timedelta(days=1)
"""How long after its last change a target is looked after."""

log = logging.getLogger(__name__)


class Drifts:
    """Looks at the targets of one receiver in each step.

    Args:
        observer: is told of each drift.
    """

    name = "drifts"
    every = LOOK_SECONDS

    def __init__(self, store: Store, looks: Looks, observer: Observer) -> None:
        self._store = store
        self._looks = looks
        self._observer = observer

    def step(self, cursor: str) -> ChoreStep:
        """Look at the next receiver after the one that the cursor names."""
        since = self._store.now() - YOUNG
        found = self._store.drifts.next_young(cursor, since)
        if found is None:
            return ChoreStep("", True, 0)
        try:
            receiver = self._store.receivers.get(found.project, found.receiver)
        except NotFound:
            return ChoreStep(found.receiver, False, 0)
        look = self._looks.at(receiver)
        slots = self._store.revisions.by_slot(found.project, found.receiver)
        count = 0
        for slot in slots:
            newest = slot[0]
            # What several receivers share is looked at for the one that changed it last.
            if newest.receiver != receiver.id or newest.changed is None or newest.changed < since:
                continue
            if (sight := look(slot)) and sight.found:
                count += self._tell(slot, sight.found)
        return ChoreStep(found.receiver, False, count)

    def _tell(self, slot: Sequence[Execution], found: Sequence[Observed]) -> int:
        expected, others = expected_of(slot), drift(slot, found)
        if expected is None or not others:
            return 0
        new = self._store.drifts.note(expected, event_of(expected).image, others)
        for item in new:
            log.warning("execution %s was taken back: %s", expected.id, told([item]))
            self._observer.tell(Drifted(expected, item))
        return len(new)
