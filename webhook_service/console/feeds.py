"""The live feed: rows of the log that are new or have changed, for every open page.

It reads the database, for what happens may happen in another process. One task for each project
asks twice a second while somebody looks, and every page of the project gets what it found.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from webhook_service.errors import LimitReached, WebhookServiceError
from webhook_service.model.history.delivery_log import LogEntry, LogQuery, Pulse
from webhook_service.service import WebhookService

POLL = 0.5
FEEDS_OF_ACTOR = 10
MAX_FEEDS = 500
QUEUED = 200
"""Rows that a slow reader may be behind; one more ends its feed, and it comes back."""
OVERLAP = 5.0
"""Seconds by which the clocks of hosts and of the database may differ."""
FEED_SECONDS = 900.0
"""How long one feed lasts; the browser opens the next one, and its session is looked up again."""

log = logging.getLogger(__name__)
Entries = Sequence[LogEntry]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class News:
    """An entry that is new or has changed; ``seen`` is when the look began that found it."""

    entry: LogEntry
    seen: float


class _Channel:
    """One project: who looks, and what was last seen of it."""

    def __init__(self, newest: str | None, under_way: Mapping[str, Pulse]) -> None:
        self.readers: set[asyncio.Queue[News | None]] = set()
        self.newest = newest
        self.under_way = under_way
        self.task: asyncio.Task[None] | None = None

    def send(self, found: Sequence[News]) -> None:
        for reader in list(self.readers):
            for news in found:
                if reader.qsize() >= QUEUED:
                    self.readers.discard(reader)
                    reader.put_nowait(None)
                    break
                reader.put_nowait(news)


class Feeds:
    """All open feeds of this process.

    Args:
        poll: seconds between two questions.
    """

    def __init__(self, service: WebhookService, poll: float = POLL) -> None:
        self._overview = service.overview
        self._poll = poll
        self._channels: dict[str, _Channel] = {}
        self._actors: Counter[str] = Counter()
        self._thread = CapacityLimiter(2)
        self._opening = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """End every feed, and open none any more: the server is about to stop."""
        self._closed = True
        for channel in self._channels.values():
            for reader in channel.readers:
                reader.put_nowait(None)

    def admit(self, actor: str) -> None:
        """Take a place for a feed; ``leave`` gives it back.

        Raises:
            LimitReached: this person, or all together, have as many as they may.
        """
        if self._actors[actor] >= FEEDS_OF_ACTOR:
            raise LimitReached(f"You have {FEEDS_OF_ACTOR} live pages open: close one.", 30)
        if self._actors.total() >= MAX_FEEDS:
            raise LimitReached(f"There are {MAX_FEEDS} live pages open: try again later.", 30)
        self._actors[actor] += 1

    def leave(self, actor: str) -> None:
        """Give back a place."""
        self._actors[actor] -= 1
        if self._actors[actor] <= 0:
            del self._actors[actor]

    async def entries(self, project: str, last: str | None) -> AsyncIterator[News | None]:
        """What is new or has changed, for as long as a feed lasts; None now and then.

        Args:
            last: the cursor of what was seen last (see ``cursor``); None to begin now.
        """
        if self._closed:
            return
        channel = await self._channel(project)
        reader: asyncio.Queue[News | None] = asyncio.Queue()
        channel.readers.add(reader)
        try:
            for missed in await self._missed(project, last):
                yield missed
            yield None
            async with asyncio.timeout(FEED_SECONDS):
                while not self._closed:
                    news = await self._next(reader)
                    if news is None and reader not in channel.readers:
                        return
                    yield news
        except TimeoutError:
            return
        finally:
            channel.readers.discard(reader)

    async def _next(self, reader: asyncio.Queue[News | None]) -> News | None:
        """The next one; None after 15 quiet seconds, so that a dead connection is noticed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(15):
                return await reader.get()
        return None

    async def _channel(self, project: str) -> _Channel:
        async with self._opening:
            channel = self._channels.get(project)
            if channel is None:
                newest = await self._ask(self._newest, project)
                under_way = await self._ask(self._overview.under_way, project)
                channel = self._channels[project] = _Channel(newest, under_way)
            if channel.task is None or channel.task.done():
                channel.task = asyncio.create_task(self._watch(project, channel))
            return channel

    async def _missed(self, project: str, last: str | None) -> Sequence[News]:
        seen = read_cursor(last)
        if seen is None:
            return ()
        newest, moment = seen
        now = time.time()
        page = await self._ask(self._overview.log, project, LogQuery())
        moved = [entry for entry in page.entries if _moved(entry, newest, moment)]
        return [News(entry, now) for entry in reversed(moved)]

    async def _watch(self, project: str, channel: _Channel) -> None:
        await asyncio.sleep(0)
        while channel.readers and not self._closed:
            try:
                now = time.time()
                channel.send([News(each, now) for each in await self._look(project, channel)])
            except WebhookServiceError as exc:
                log.warning("the live feed cannot read the database: %s", exc)
            await asyncio.sleep(self._poll)
        if self._channels.get(project) is channel:
            del self._channels[project]

    async def _look(self, project: str, channel: _Channel) -> Entries:
        new = await self._ask(self._overview.newer, project, channel.newest)
        if new:
            channel.newest = new[-1].delivery.id
        now = await self._ask(self._overview.under_way, project)
        before, channel.under_way = channel.under_way, now
        moved = {
            pulse.delivery
            for id_, pulse in [*before.items(), *now.items()]
            if now.get(id_) != before.get(id_)
        } - {entry.delivery.id for entry in new}
        # Those that were read while they ran and had ended by the second look, which is the last
        # that would tell of it.
        moved |= {
            entry.delivery.id
            for entry in new
            if any(each.finished is None and each.id not in now for each in entry.executions)
        }
        changed = await self._ask(self._overview.entries, project, moved) if moved else []
        return [*new, *changed]

    def _newest(self, project: str) -> str | None:
        entries = self._overview.log(project, LogQuery()).entries
        return entries[0].delivery.id if entries else None

    async def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await run_sync(partial(function, *args, **kwargs), limiter=self._thread)


def cursor(newest: str | None, seen: float | None = None) -> str:
    """What a page knows: the newest delivery on it, and when it was read; by default now."""
    moment = time.time() if seen is None else seen
    return f"{newest or ''}~{int(moment * 1000):x}"


def read_cursor(text: str | None) -> tuple[str, float] | None:
    """The parts of a cursor, with the moment as a timestamp; None if it is none."""
    newest, tilde, moment = (text or "").partition("~")
    try:
        return (newest, int(moment, 16) / 1000) if tilde and len(moment) < 16 else None
    except ValueError:
        return None


def _moved(entry: LogEntry, newest: str, moment: float) -> bool:
    """Whether a page that knows so much lacks something of an entry.

    Ids sort by time; those of several hosts by their clocks, so an overlap is looked at. A row that
    comes twice does no harm.
    """
    since = moment - OVERLAP
    if entry.delivery.id > newest or entry.delivery.received.timestamp() > since:
        return True
    return any(
        item.finished is None or item.finished.timestamp() > since for item in entry.executions
    )
