"""The writer of Events: sends them behind the steps, which need not wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from logging import getLogger
from threading import Condition, Thread
from time import monotonic

from webhook_drivers.kubernetes.api.faults import cut
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_service import DriverError

MAX_WAITING = 10_000
TOLD_SECONDS = 60.0
EXISTS = 409

log = getLogger(__name__)


class EventWriter:
    """Sends the Events of one cluster in their order, by a thread that begins with the first one.

    An Event is never tried again, and none is lost silently: what finds no room, what the cluster
    does not take and what is left at the end is counted, and the log says so once a minute. Only
    the end of the process without ``close`` loses them without a word.

    Args:
        name: the cluster's name, for the log.
        exchange: asks the cluster; raises ``DriverError``.
        room: how many may wait.

    Attributes:
        lost: how many were not written.
    """

    def __init__(
        self, name: str, exchange: Callable[[ApiRequest], ApiReply], room: int = MAX_WAITING
    ) -> None:
        self.lost = 0
        self._name = name
        self._exchange = exchange
        self._room = room
        self._changed = Condition()
        self._waiting: deque[ApiRequest] = deque()
        self._thread: Thread | None = None
        self._closing = False
        self._told, self._next_word = 0, 0.0

    def put(self, ask: ApiRequest) -> None:
        """Send it soon; returns at once."""
        with self._changed:
            if self._closing:
                return self._lose(1, "the service stops")
            if len(self._waiting) >= self._room:
                return self._lose(1, f"{self._room} wait already")
            self._waiting.append(ask)
            self._changed.notify()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="kubernetes-events", daemon=True)
                self._thread.start()

    def close(self, seconds: float) -> None:
        """Take no more, and send what waits for so many seconds at the most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(seconds)
        with self._changed:
            self._lose(len(self._waiting), f"they could not be sent in {seconds:.1f} s at the end")
            self._waiting.clear()
            self._next_word = 0.0
            self._tell("the service stops")

    def _run(self) -> None:
        while (ask := self._next()) is not None:
            try:
                reply = self._exchange(ask)
            except DriverError as error:
                why = error.message
            except Exception as error:
                log.exception("An Event could not be sent.")
                why = type(error).__name__
            else:
                # One that exists already: its step was repeated after a crash.
                if reply.ok or reply.status == EXISTS:
                    continue
                why = f"{reply.status}: {cut(reply.body.decode('utf-8', 'replace'))}"
            with self._changed:
                self._lose(1, why)

    def _next(self) -> ApiRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        self._tell(why)

    def _tell(self, why: str) -> None:
        """Say it, once a minute, of all that were lost since."""
        new = self.lost - self._told
        if not new or monotonic() < self._next_word:
            return
        log.warning("%d Events were not written to cluster %s: %s.", new, self._name, why)
        self._told, self._next_word = self.lost, monotonic() + TOLD_SECONDS
