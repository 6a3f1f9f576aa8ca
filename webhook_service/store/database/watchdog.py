"""The watchdog: no use of a database's connection lasts for ever.

The server bounds its statements by itself. One that has frozen, or whose answers are lost on the
way, cannot: whoever waits for it would wait until the process ends. So a connection that is in use
for too long is broken from another thread, and its user fails as if the server had hung up.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOOK_SECONDS = 1.0


class Watchdog:
    """Watches the connections that are in use.

    Args:
        seconds: how long one use may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._uses: dict[object, tuple[float, Any]] = {}
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    @contextmanager
    def over(self, raw: Any, seconds: float | None = None) -> Iterator[None]:
        """Break the connection if the block lasts too long.

        What goes to the server when a block of SQLAlchemy's ends (COMMIT, ROLLBACK, the pool's
        reset) may hang as well, so this block is the outer one.

        Args:
            raw: the connection of the database's own driver.
            seconds: how long this use may last, if not as long as every other.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="store-watchdog", daemon=True)
            self._thread.start()
        until = time.monotonic() + (seconds or self._seconds)
        use = object()
        self._uses[use] = (until, raw)
        try:
            yield
        finally:
            del self._uses[use]

    def break_all(self) -> None:
        """Break every connection that is in use."""
        for _, raw in list(self._uses.values()):
            _break(raw)

    def close(self) -> None:
        """End the watch."""
        self._ended.set()

    def _loop(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            now = time.monotonic()
            for until, raw in list(self._uses.values()):
                if now > until:
                    _break(raw)


def _break(raw: Any) -> None:
    """End what the connection's own thread waits for; the thread itself closes it."""
    with suppress(OSError, sqlite3.Error):
        if isinstance(raw, sqlite3.Connection):
            raw.interrupt()
            return
        if raw.closed:
            return
        # The descriptor stays the connection's: closing it here would free its number.
        with socket.socket(fileno=os.dup(raw.pgconn.socket)) as shared:
            shared.shutdown(socket.SHUT_RDWR)
