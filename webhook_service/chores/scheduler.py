"""The scheduler of chores: one thread of the host that does what is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import partial
from random import SystemRandom

from webhook_service.chores.chore import Chore
from webhook_service.errors import WebhookServiceError, with_cause
from webhook_service.plugins.boundary import is_for_us
from webhook_service.plugins.bounded import BoundedCalls, CallLimit
from webhook_service.store.chores import ChoreStore
from webhook_service.store.retention import ChoreStep
from webhook_service.telemetry.logs import FaultLog
from webhook_service.telemetry.observer import ChoreFailed, Observer

LOOK_SECONDS = 10.0
LEASE_SECONDS = 60.0
# Between two steps, so that calls and executions do not wait behind a queue of them.
PAUSE_SECONDS = 0.1
# Of one chore in a round: no chore waits for all that another one has to do.
MAX_STEPS = 500
STEP = CallLimit(
    "A step of a chore", 300.0, "A step did not end in 300 s", "Steps of it hang already"
)

log = logging.getLogger(__name__)


class Scheduler:
    """Does chores in a thread of its own; hosts of one database take turns.

    Args:
        look: seconds after which the database is asked again what is due.
        pause: seconds between two steps of a chore.
        observer: is told of chores that fail.
        bounded: runs the steps, and gives up those that hang in a plug-in.
    """

    def __init__(
        self,
        store: ChoreStore,
        chores: Sequence[Chore],
        look: float = LOOK_SECONDS,
        pause: float = PAUSE_SECONDS,
        observer: Observer | None = None,
        bounded: BoundedCalls | None = None,
    ) -> None:
        self._observer = observer or Observer()
        self._bounded = bounded or BoundedCalls(self._observer)
        self._store = store
        self._chores = {chore.name: chore for chore in chores}
        self._look = look
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Take no further step, and wait up to ``timeout`` seconds for the one that runs."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def run_due(self) -> None:
        """Do all that is due now."""
        for name in self._store.waiting(self._chores):
            if self._stopping.is_set():
                return
            try:
                self._run(self._chores[name])
            except WebhookServiceError as exc:
                log.warning("The chore %s goes on when it is due again: %s", name, with_cause(exc))
            except BaseException as exc:
                if is_for_us(exc):
                    raise
                # It goes on where it stood when its lease ends, and keeps no other from its turn.
                log.exception("The chore %s failed.", name)
                self._observer.tell(ChoreFailed(name))

    def _loop(self) -> None:
        # Hosts that start together need not look together.
        faults = FaultLog(log, "A chore")
        while not self._stopping.wait(self._look * SystemRandom().uniform(0.5, 1.0)):
            with faults():
                self.run_due()

    def _run(self, chore: Chore) -> None:
        """One pass, or a part of it: what is left is gone on with in the next round."""
        cursor, count = self._store.take(chore.name, LEASE_SECONDS), 0
        for number in range(1, MAX_STEPS + 1):
            if cursor is None:
                break
            step = self._bounded.run(chore.name, partial(chore.step, cursor), STEP)
            count += step.count
            cursor = self._go_on(chore, step, last=number == MAX_STEPS)
        if count:
            log.info("chore %s: %d done", chore.name, count)

    def _go_on(self, chore: Chore, step: ChoreStep, last: bool) -> str | None:
        """Where the next step begins; None if there is none for now."""
        if step.done:
            self._store.put_back(chore.name, step.cursor, chore.every)
            return None
        if last or self._stopping.wait(self._pause):
            self._store.put_back(chore.name, step.cursor, 0)
            return None
        self._store.put_back(chore.name, step.cursor, LEASE_SECONDS)
        return step.cursor
