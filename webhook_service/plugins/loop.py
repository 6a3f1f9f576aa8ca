"""The event loop of asynchronous drivers: one thread that runs what they await.

It is started when it is first needed, in the process that needs it: a loop does not survive a fork.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable
from concurrent.futures import TimeoutError as NotInTime
from typing import TypeVar

CLOSE_SECONDS = 5.0
T = TypeVar("T")


class CancelledStep(Exception):
    """What ran on the loop took too long, and was cancelled."""


class PluginLoop:
    """Runs what drivers await, for threads that wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    def run(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """Wait for something on the loop. Never call it from the loop itself.

        Args:
            seconds: after which it is cancelled; None waits for ever.

        Raises:
            CancelledStep: it took too long.
        """
        future = asyncio.run_coroutine_threadsafe(_awaited(work), self._running())
        try:
            return future.result(seconds)
        except NotInTime:
            if future.done():
                raise  # what ran there raised it
            future.cancel()
            raise CancelledStep from None

    def close(self) -> None:
        """Cancel what still runs, and end the thread; a driver that blocks it is left behind."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._process != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                self._process = os.getpid()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="driver-loop", daemon=True
                )
                self._thread.start()
            return self._loop


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        _cancel_all(loop)
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSE_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
