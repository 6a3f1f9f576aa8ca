"""The intake for event loops: decisions are stored while the loop goes on, and no thread waits.

The decisions of one turn of a loop go to the writer together, so that it finds them as one group
and need not compete with the loop while it is at work on the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from weakref import WeakKeyDictionary

from webhook_service.errors import StoreUnavailable
from webhook_service.model.delivery import Decision, Delivery
from webhook_service.store.database.write import LATE, TORN, WRITE_TIMEOUT, Write

Stored = Write[Delivery | None]
Submit = Callable[[Sequence[Decision]], Sequence[Stored]]
Waiter = asyncio.Future[Delivery | None]


class AsyncIntake:
    """Brings decisions into the store, from any number of event loops.

    Args:
        require_room: raises if there is no room for a decision.
        submit: begins to store some; each future resolves after its commit.
    """

    def __init__(self, require_room: Callable[[Decision], None], submit: Submit) -> None:
        self._require_room = require_room
        self._submit = submit
        # What a loop has under way is its own: so no lock is needed, and a loop that has ended
        # takes it along.
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turn] = WeakKeyDictionary()

    async def store(self, decision: Decision) -> Delivery | None:
        """Store a decision; gives the delivery, or None if what it is based on is no longer so.

        Raises:
            StoreUnavailable: it was not committed, or not in time.
            LimitReached: there is no room for it.
        """
        self._require_room(decision)
        loop = asyncio.get_running_loop()
        turn = self._turns.get(loop)
        if turn is None:
            turn = self._turns[loop] = _Turn(self._submit)
        return await turn.commit(decision, loop)


class _Turn:
    """What one event loop hands to the writer, and waits for."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._waiting: list[tuple[Decision, Waiter]] = []
        self._written: deque[tuple[Waiter, Future[Delivery | None]]] = deque()

    def commit(self, decision: Decision, loop: asyncio.AbstractEventLoop) -> Waiter:
        if not self._waiting:
            loop.call_soon(self._hand_over, loop)
        waiter: Waiter = loop.create_future()
        self._waiting.append((decision, waiter))
        return waiter

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        # Of those that are done already the caller has gone away.
        waiting = [each for each in self._waiting if not each[1].done()]
        self._waiting = []
        try:
            writes = self._submit([decision for decision, _ in waiting])
        except Exception as exc:
            for _, waiter in waiting:
                waiter.set_exception(exc)
            return
        under_way = [(waiter, write) for (_, waiter), write in zip(waiting, writes, strict=True)]
        for waiter, write in under_way:
            write.add_done_callback(partial(self._take_over, loop, waiter))
        loop.call_later(WRITE_TIMEOUT, _give_up, under_way)

    def _take_over(
        self, loop: asyncio.AbstractEventLoop, waiter: Waiter, write: Future[Delivery | None]
    ) -> None:
        """Called in the writer's thread: wake the loop up, once for all that is there."""
        self._written.append((waiter, write))
        if len(self._written) == 1:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._written:
            waiter, write = self._written.popleft()
            if waiter.done():
                continue
            if (error := write.exception()) is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(write.result())


def _give_up(under_way: Iterable[tuple[Waiter, Stored]]) -> None:
    """Wait no longer, but for those whose COMMIT has begun: the writer tells of them soon."""
    for waiter, write in under_way:
        if not waiter.done() and write.give_up():
            waiter.set_exception(StoreUnavailable(TORN if write.is_torn else LATE))
