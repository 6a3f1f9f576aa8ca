"""Threads: where the synchronous service is called from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from webhook_service.receiving.fair_share import FairShare

P = ParamSpec("P")
T = TypeVar("T")

MANAGEMENT_THREADS = 16
current_project: ContextVar[str | None] = ContextVar("current_project", default=None)
"""Whose request the running task answers, once the guard has let it pass."""


class Threads:
    """A share of the thread pool.

    Management calls have one of their own: creating a receiver may wait for a cluster, and that
    must never keep a push waiting. Projects share these threads: who waits for slow clusters keeps
    no other project waiting.
    """

    def __init__(self, count: int = MANAGEMENT_THREADS) -> None:
        self._limiter = CapacityLimiter(count)
        self._share = FairShare(count)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread and wait for its result.

        Raises:
            Unavailable: too many requests of the same project are at it for too long.
        """
        job, project = partial(function, *args, **kwargs), current_project.get()
        if project is None:
            return await run_sync(job)  # who calls is not known yet; to find out takes no time
        async with self._share.place(project):
            return await run_sync(job, limiter=self._limiter)
