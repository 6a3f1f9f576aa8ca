"""Threads: where the synchronous service is called from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from anyio.to_thread import run_sync

from webhook_service.plugins.bounded import BoundedCalls, CallLimit
from webhook_service.receiving.fair_share import FairShare

P = ParamSpec("P")
T = TypeVar("T")

MANAGEMENT_THREADS = 16
# A cluster, a registry and a driver each have their own, shorter limits.
REQUEST = CallLimit(
    "A request of the API or the console",
    60.0,
    "The request did not end in 60 s and was given up. Nobody knows yet what came of it: look "
    "before you send it again.",
    "Requests of this project hang, so this one was not begun; the log of the service says where.",
)
current_project: ContextVar[str | None] = ContextVar("current_project", default=None)
"""Whose request the running task answers, once the guard has let it pass."""


class Threads:
    """A share of the thread pool.

    Management calls have one of their own: creating a receiver may wait for a cluster, and that
    must never keep a push waiting. Projects share these threads: who waits for slow clusters keeps
    no other project waiting.

    Args:
        bounded: runs the calls, and gives up those that hang.
    """

    def __init__(self, bounded: BoundedCalls, count: int = MANAGEMENT_THREADS) -> None:
        self._bounded = bounded
        self._share = FairShare(count)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread and wait for its result.

        Raises:
            Unavailable: too many requests of the same project are at it for too long, or this
                one was.
        """
        job, project = partial(function, *args, **kwargs), current_project.get()
        if project is None:
            return await run_sync(job)  # who calls is not known yet; to find out takes no time
        async with self._share.place(project):
            return await self._bounded.run_async(project, job, REQUEST)
