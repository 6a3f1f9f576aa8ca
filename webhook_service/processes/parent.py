"""The parent: starts host processes on one address, replaces those that die, and ends them all.

It takes no calls and opens no database. Each child is a host as any other one, started anew and not
forked, for neither threads nor connections survive a fork.
"""

from __future__ import annotations

import logging
import math
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from webhook_service.errors import SettingsError
from webhook_service.net.listener import bind_all
from webhook_service.processes.channel import FOLDER, READY, STUCK
from webhook_service.processes.process import DEATHS, WITHIN_SECONDS, HostProcess
from webhook_service.settings import Settings

# Before a place is taken again; twice as long after each further death.
PAUSE_SECONDS = 0.25

log = logging.getLogger(__name__)


def require_usable(settings: Settings) -> None:
    """Make sure that several processes can share the address and the database.

    Raises:
        SettingsError: they cannot; the message says what to do.
    """
    if settings.database_url.startswith("sqlite"):
        raise SettingsError(
            "SQLite lets one process write at a time, so a second one would only wait for the "
            "first: set WEBHOOK_SERVICE_DATABASE_URL to a PostgreSQL database, or leave "
            "--processes out."
        )
    if sys.platform != "linux":
        raise SettingsError(
            "Only Linux spreads the calls of one address over several processes: leave "
            "--processes out, and start hosts behind a proxy."
        )


def serve_in_processes(
    settings: Settings,
    count: int,
    command: Sequence[str],
    on_ready: Callable[[str], None] = lambda url: None,
) -> int:
    """Serve by several processes until SIGTERM or SIGINT; what runs then is finished first.

    Call it in the main thread: it takes the signals.

    Args:
        count: how many.
        command: starts one that takes its place with ``HostPlace.taken``; the numbers of two open
            files follow, of its listener and of its channel.
        on_ready: called with the address once all of them take calls.

    Returns:
        The exit code: 0 after a signal, if all have ended in time.

    Raises:
        SettingsError: the address is taken, or a setting is not for several processes.
    """
    require_usable(settings)
    with ExitStack() as last:
        listeners = bind_all(settings.listen_host, settings.listen_port, count)
        for listener in listeners:
            last.enter_context(listener)
        folder = last.enter_context(_folder())
        signals = last.enter_context(_signals())
        environment = os.environ | {FOLDER: folder}
        places = [
            HostProcess(number, listener, command, settings, environment)
            for number, listener in enumerate(listeners)
        ]
        return Parent(places, signals, on_ready).run()


class Parent:
    """Keeps a process in each place.

    Args:
        places: none of them taken.
        signals: has a byte with the number of each signal that came.
        on_ready: called with the address once all take calls.
    """

    def __init__(
        self, places: Sequence[HostProcess], signals: socket.socket, on_ready: Callable[[str], None]
    ) -> None:
        self._places = places
        self._signals = signals
        self._on_ready = on_ready
        self._announced = False
        self._ending = False
        self._code = 0

    def run(self) -> int:
        """Start them, and go on until all have ended; gives the exit code."""
        # The others follow when the first is ready: what keeps it from that is said once.
        self._places[0].start(time.monotonic())
        try:
            while not self._ending or any(place.is_taken for place in self._places):
                self._wait()
                self._look()
        finally:
            for place in self._places:
                place.close()
        return self._code

    def _wait(self) -> None:
        """Until something happens, or is due."""
        due = min(place.due for place in self._places) - time.monotonic()
        files = [self._signals, *(file for place in self._places for file in place.files)]
        select.select(files, [], [], None if due == math.inf else max(due, 0.0))

    def _look(self) -> None:
        now = time.monotonic()
        for number in self._came():
            self._end(number, now)
        for place in self._places:
            for line in place.hear().splitlines():
                self._hear(place, line, now)
            if (code := place.ended()) is not None:
                self._lose(place, code, now)
            elif place.due <= now:
                self._act(place, now)

    def _came(self) -> list[int]:
        """The signals that are to end the service; the others only wake this process."""
        try:
            came = self._signals.recv(4096)
        except BlockingIOError:
            return []
        return [number for number in came if number in (signal.SIGTERM, signal.SIGINT)]

    def _end(self, number: int, now: float) -> None:
        self._ending = True
        for place in self._places:
            place.listener.close()  # who calls now is refused, and waits for nobody
            place.due = math.inf if not place.is_taken else place.due
            place.pass_on(number, now)

    def _hear(self, place: HostProcess, line: bytes, now: float) -> None:
        if self._ending:
            return
        if line == STUCK:
            log.error("Host process %d (pid %d) is stuck, and is replaced.", *_named(place))
            place.pass_on(signal.SIGTERM, now)
        elif line.startswith(READY):
            place.due, place.url = math.inf, line.removeprefix(READY).decode()
            for other in self._places:
                if other.url is None and not other.is_taken and other.due == math.inf:
                    other.due = now
            if not self._announced and all(other.url for other in self._places):
                self._announced = True
                self._on_ready(place.url)

    def _lose(self, place: HostProcess, code: int, now: float) -> None:
        if self._ending:
            return
        if self._places[0].url is None:
            # It has said why. What keeps the first one from starting keeps the others, too.
            self._code = code if code > 0 else 1
            return self._end(signal.SIGTERM, now)
        deaths = place.count_death(now)
        if deaths >= DEATHS:
            log.error(
                "Host process %d has died %d times within %.0f seconds, so the service ends. The "
                "lines above say why.",
                place.number,
                deaths,
                WITHIN_SECONDS,
            )
            self._code = 1
            return self._end(signal.SIGTERM, now)
        pause = PAUSE_SECONDS * 2 ** (deaths - 1)
        place.due = now + pause
        log.warning(
            "Host process %d has ended by itself (%s); another one starts in %g s.",
            place.number,
            f"signal {-code}" if code < 0 else f"exit code {code}",
            pause,
        )

    def _act(self, place: HostProcess, now: float) -> None:
        if not place.is_taken:
            return place.start(now)
        late = "get ready" if place.url is None else "end"
        log.error("Host process %d (pid %d) did not %s in time: killed.", *_named(place), late)
        self._code = 1 if self._ending else self._code
        place.kill()


def _named(place: HostProcess) -> tuple[int, int]:
    return place.number, place.pid


@contextmanager
def _folder() -> Iterator[str]:
    """Where the processes keep their figures."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="webhook-service-metrics-")
    except OSError as exc:
        raise SettingsError(
            "--processes needs a folder for temporary files, where the processes count together, "
            f"and has none ({exc.strerror}): name one in TMPDIR that can be written to."
        ) from exc
    with folder as name:
        yield name


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that has a byte for each signal: of those that end, and of a child that ended."""
    taken = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in taken}
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
