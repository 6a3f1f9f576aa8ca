"""Threads: where the synchronous service is called from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

P = ParamSpec("P")
T = TypeVar("T")

MANAGEMENT_THREADS = 16


class Threads:
    """A share of the thread pool.

    Management calls have one of their own: creating a receiver may wait for a cluster, and that
    must never keep a push waiting.
    """

    def __init__(self, count: int = MANAGEMENT_THREADS) -> None:
        self._limiter = CapacityLimiter(count)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread and wait for its result."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._limiter)
