"""Fair shares: what one project keeps waiting for never keeps the others waiting.

Whoever may choose which servers are asked (an issuer of tokens, a cluster) may choose slow ones.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from webhook_service.errors import Unavailable

PART = 4
PATIENCE = 10.0
RETRY_AFTER = 10


class FairShare:
    """Places that projects share: one project takes at most a quarter of them.

    For the tasks of one event loop.

    Args:
        places: how many there are.
        patience: seconds for which a task waits for a place.
    """

    def __init__(self, places: int, patience: float = PATIENCE) -> None:
        self._places = places
        self._each = max(1, places // PART)
        self._patience = patience
        self._taken = Counter[str]()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    def take(self, project: str) -> bool:
        """Take a place if the project may; whoever took one gives it back by ``leave``."""
        if self._taken.total() >= self._places or self._taken[project] >= self._each:
            return False
        self._taken[project] += 1
        return True

    def leave(self, project: str) -> None:
        """Give a place back, to whoever waits for it: projects take turns."""
        self._taken -= Counter([project])
        for waiting, queue in list(self._queues.items()):
            if self.take(waiting):
                queue.popleft().set_result(None)
                self._queues.pop(waiting)
                if queue:
                    self._queues[waiting] = queue
                return

    @asynccontextmanager
    async def place(self, project: str) -> AsyncIterator[None]:
        """Hold a place meanwhile.

        Raises:
            Unavailable: none became free in time.
        """
        if not self.take(project):
            await self._wait(project)
        try:
            yield
        finally:
            self.leave(project)

    async def _wait(self, project: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._queues.setdefault(project, deque()).append(mine)
        try:
            async with asyncio.timeout(self._patience):
                await mine
        except BaseException as exc:
            if mine.done() and not mine.cancelled():
                self.leave(project)  # it was given a place at the very moment it gave up
            else:
                self._give_up(project, mine)
            if not isinstance(exc, TimeoutError):
                raise
            raise Unavailable(
                "Too many requests of this project wait for other servers; nothing was stored.",
                RETRY_AFTER,
            ) from None

    def _give_up(self, project: str, mine: asyncio.Future[None]) -> None:
        queue = self._queues[project]
        queue.remove(mine)
        if not queue:
            del self._queues[project]
