"""The host's part: one thread that tells the broker what to run.

It publishes what was just accepted, at once, and from the tables what nobody has claimed: steps and
retries that came due, pushes whose slot became free, messages that a broker lost. It also takes
back what lost workers held. Many hosts may do the same: the claim decides who runs what.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from webhook_service.engine.celery.publisher import WINDOW, BrokerUnavailable, Publisher
from webhook_service.engine.engine import Engine
from webhook_service.store.store import Store
from webhook_service.telemetry.logs import FaultLog
from webhook_service.telemetry.observer import LeasesLost, Observer

POLL = 0.5
# Between two looks at the tables while something is due that nobody has claimed yet.
MIN_PAUSE = 0.1
# Due for less than this: whoever accepted it has announced it.
AGE = timedelta(seconds=0.1)
# Between two searches for workers that are gone.
SWEEP = 1.0
# A message that nobody has acted on for so long is lost, or came while its slot was busy.
REPEAT = timedelta(seconds=1)
_NEVER = datetime.min.replace(tzinfo=UTC)

log = logging.getLogger(__name__)


class CeleryEngine(Engine):
    """Publishes ids of executions; workers elsewhere run them.

    Args:
        poll: seconds after which the store is asked for work that nobody announced.
        observer: is told of lost leases.
    """

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        poll: float = POLL,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._poll = poll
        self._observer = observer or Observer()
        # More than the queue takes need not be remembered: the tables hold them all.
        self._announced: deque[str] = deque(maxlen=WINDOW)
        self._published: dict[str, datetime] = {}
        self._woken = threading.Event()
        self._stopping = False
        self._next_look = self._next_sweep = 0.0
        self._down = False
        self._thread = threading.Thread(target=self._loop, name="engine-publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, executions: Sequence[str] = ()) -> None:
        self._announced.extend(executions)
        self._woken.set()

    def stop(self, timeout: float = 10.0) -> None:
        self._stopping = True
        self._woken.set()
        self._thread.join(timeout)

    def _loop(self) -> None:
        faults = FaultLog(log, "Looking for work")
        while not self._stopping:
            with faults():
                self._turn()
            self._woken.wait(max(0.0, self._next_look - time.monotonic()))
            self._woken.clear()
        self._publisher.close()

    def _turn(self) -> None:
        try:
            if time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + self._poll
                self._next_look = time.monotonic() + self._look()
            self._publish([self._announced.popleft() for _ in range(len(self._announced))])
            self._tell(None)
        except BrokerUnavailable as exc:
            self._tell(exc)

    def _look(self) -> float:
        """Publish what the tables say, after a search for lost workers; gives the pause then."""
        claims = self._store.claims
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP
            if lost := claims.sweep():
                self._observer.tell(LeasesLost(lost))
        if due := claims.overdue(WINDOW, AGE):
            self._publish(self._unpublished(due))
            return MIN_PAUSE
        if (next_due := claims.next_due()) is None:
            return self._poll
        wait = (next_due + AGE - self._store.now()).total_seconds()
        return min(max(wait, MIN_PAUSE), self._poll)

    def _unpublished(self, due: Mapping[str, datetime]) -> Sequence[str]:
        """What came due after it was last published, or has been due for long since then."""
        horizon = self._store.now() - REPEAT
        self._published = {id_: at for id_, at in self._published.items() if at > horizon}
        return [id_ for id_, since in due.items() if since > self._published.get(id_, _NEVER)]

    def _publish(self, ids: Sequence[str]) -> None:
        if ids:
            published = self._publisher.publish(ids)
            self._published.update(dict.fromkeys(published, self._store.now()))

    def _tell(self, problem: BrokerUnavailable | None) -> None:
        """Log once that the broker is away, and once that it is back."""
        if problem is not None and not self._down:
            log.warning("The broker takes no messages, trying again: %s", problem)
        if problem is None and self._down:
            log.info("The broker takes messages again.")
        self._down = problem is not None
