"""Executions: what was done about a push."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from webhook_service.client.asynchronous.channel import AsyncChannel
from webhook_service.client.errors import NotEnded
from webhook_service.client.exchange import written
from webhook_service.model.execution import ExecutionState
from webhook_service.resources import (
    CancelRequest,
    ExecutionResource,
    NoRequest,
    ReplayedResource,
    ReplayManyRequest,
    ReplayRequest,
)


class AsyncExecutionRequests:
    """What was done about a push: look, wait, repeat, end, vote."""

    def __init__(self, client: AsyncChannel) -> None:
        self._client = client

    def list(
        self,
        *,
        receiver: str | None = None,
        delivery: str | None = None,
        driver: str | None = None,
        state: str | None = None,
        reason: str | None = None,
        image: str | None = None,
        limit: int = 100,
    ) -> AsyncIterator[ExecutionResource]:
        """All executions, newest first, without their attempts."""
        query = {
            "receiver": receiver,
            "delivery": delivery,
            "driver": driver,
            "state": state,
            "reason": reason,
            "image": image,
        }
        return self._client.pages(ExecutionResource, "executions", limit, query)

    async def get(self, execution: str) -> ExecutionResource:
        """One execution, with its attempts and votes."""
        return await self._client.get(ExecutionResource, "executions", execution)

    async def follow(
        self, execution: str, *, interval: float = 1.0
    ) -> AsyncIterator[ExecutionResource]:
        """An execution each time that something about it changed, up to its end.

        Args:
            interval: seconds between two looks.
        """
        last: ExecutionResource | None = None
        while last is None or not last.ended:
            if last is not None:
                await sleep(interval)
            found = await self.get(execution)
            if found != last:
                yield found
            last = found

    async def wait(
        self,
        execution: str,
        *,
        seconds: float = 600.0,
        interval: float = 1.0,
        on_change: Callable[[ExecutionResource], None] | None = None,
    ) -> ExecutionResource:
        """An execution once it has ended, well or not.

        Args:
            seconds: how long to wait.
            interval: seconds between two looks.
            on_change: is called with the execution at first, and when something about it changed.

        Raises:
            NotEnded: it has not ended by then.
        """
        until, last = time.monotonic() + seconds, None
        while True:
            found = await self.get(execution)
            if on_change is not None and found != last:
                on_change(found)
            last = found
            if found.ended:
                return found
            left = until - time.monotonic()
            if left <= 0:
                raise NotEnded(
                    f"{execution} is {found.state.value} after {seconds:g} seconds: it goes on."
                )
            await sleep(min(interval, left))

    async def replay(self, execution: str, *, as_of: bool = False) -> ExecutionResource:
        """Run an ended execution's push once more; the answer is the new execution."""
        body = written(ReplayRequest(as_of=as_of))
        return await self._client.post(ExecutionResource, body, "executions", execution, "replay")

    async def replay_all(
        self,
        *,
        state: ExecutionState = ExecutionState.FAILED,
        receiver: str | None = None,
        reason: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1000,
        as_of: bool = False,
        dry_run: bool = False,
    ) -> ReplayedResource:
        """Replay what a filter finds, up to 1000 at once; ask again while some remain."""
        asked = ReplayManyRequest(
            state=state,
            receiver=receiver,
            reason=reason,
            since=since,
            until=until,
            limit=limit,
            as_of=as_of,
            dry_run=dry_run,
        )
        return await self._client.post(ReplayedResource, written(asked), "executions", "replay")

    async def cancel(self, execution: str, *, force: bool = False) -> ExecutionResource:
        """End an execution that has not ended.

        Args:
            force: also one that has begun; what it has changed stays.
        """
        body = written(CancelRequest(force=force))
        return await self._client.post(ExecutionResource, body, "executions", execution, "cancel")

    async def abort(self, execution: str) -> ExecutionResource:
        """Stop an execution, and let it go back to what ran before."""
        return await self._act(execution, "abort")

    async def approve(self, execution: str) -> ExecutionResource:
        """Say yes to an execution that waits for approval."""
        return await self._act(execution, "approve")

    async def refuse(self, execution: str) -> ExecutionResource:
        """Say no to an execution that waits for approval."""
        return await self._act(execution, "refuse")

    async def release(self, execution: str) -> ExecutionResource:
        """Let an execution run now that a rule of its receiver holds."""
        return await self._act(execution, "release")

    async def _act(self, execution: str, what: str) -> ExecutionResource:
        body = written(NoRequest())
        return await self._client.post(ExecutionResource, body, "executions", execution, what)
