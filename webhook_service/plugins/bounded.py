"""Bounded calls: what may hang in a plug-in gets a thread, and is given up after a while.

A Python thread cannot be killed. A call that is given up is left behind: whoever waits for it gets
an error, and its thread ends when the plug-in returns. While several calls of one owner hang, no
other one is begun for it; so one receiver with a broken plug-in cannot take all threads.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from webhook_service.errors import Unavailable
from webhook_service.telemetry.observer import CallsHanging, Observer

MAX_OF_OWNER = 8
MAX_HANGING = 64
RETRY_AFTER = 60
SHOWN_FRAMES = 4
# Those of the thread itself: two of the interpreter, and two of its own.
OUTER_FRAMES = 4
IDLE_SECONDS = 10.0
OURS = ("webhook_service", "webhook_drivers")

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallLimit:
    """How long a kind of call may last, and what its caller is told.

    Attributes:
        what: names the kind, for the log: "A call of the endpoint".
        seconds: after which it is given up.
        given_up: the sentence of the error that its caller gets then.
        refused: likewise, when it is not begun because others of its owner hang.
    """

    what: str
    seconds: float
    given_up: str
    refused: str


class BoundedCalls:
    """Calls functions in threads that can be left behind.

    Args:
        observer: is told how many calls hang.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer or Observer()
        self._hanging = Counter[tuple[str, str]]()
        self._lock = threading.Lock()
        self._threads = _Threads()

    @property
    def hanging(self) -> int:
        """How many calls were left behind and have not ended."""
        with self._lock:
            return self._hanging.total()

    @property
    def is_stuck(self) -> bool:
        """Whether so many calls hang that only a new process helps."""
        return self.hanging >= MAX_HANGING

    def run(self, owner: str, function: Callable[[], T], limit: CallLimit) -> T:
        """Call a function and wait for it; raises what it raises.

        Args:
            owner: whose plug-in it may hang in, such as a project.

        Raises:
            Unavailable: it was given up, or not begun, for others of its owner hang.
        """
        call = self._begin(owner, function, limit)
        try:
            found: T = call.result.result(limit.seconds)
            return found
        except TimeoutError:
            if call.result.done():
                raise  # the function's own
            raise self._give_up(owner, call, limit) from None
        finally:
            del call  # an error would keep itself, and the call with it: by this frame

    async def run_async(self, owner: str, function: Callable[[], T], limit: CallLimit) -> T:
        """``run`` for an event loop."""
        call = self._begin(owner, function, limit)
        try:
            async with asyncio.timeout(limit.seconds):
                found: T = await asyncio.wrap_future(call.result)
                return found
        except TimeoutError:
            if call.result.done():
                raise
            raise self._give_up(owner, call, limit) from None
        except asyncio.CancelledError:
            self._leave_behind(owner, call, limit)  # its caller has gone away
            raise
        finally:
            del call

    def close(self) -> None:
        """End the threads that have nothing to do; one that hangs ends when it can."""
        self._threads.close()

    def _begin(self, owner: str, function: Callable[[], Any], limit: CallLimit) -> _Call:
        with self._lock:
            if self._hanging[limit.what, owner] >= MAX_OF_OWNER:
                raise Unavailable(limit.refused, RETRY_AFTER)
        return self._threads.begin(function)

    def _give_up(self, owner: str, call: _Call, limit: CallLimit) -> Unavailable:
        hanging = self._leave_behind(owner, call, limit)
        log.error(
            "%s was given up after %g s; it hangs in %s. %d such threads are left behind.",
            *(limit.what, limit.seconds, call.place, hanging),
            extra={"project": owner},
        )
        return Unavailable(limit.given_up, RETRY_AFTER)

    def _leave_behind(self, owner: str, call: _Call, limit: CallLimit) -> int:
        with self._lock:
            self._hanging[limit.what, owner] += 1
            hanging = self._hanging.total()
        self._observer.tell(CallsHanging(hanging))
        call.result.add_done_callback(lambda _: self._came_back(owner, limit))
        return hanging

    def _came_back(self, owner: str, limit: CallLimit) -> None:
        with self._lock:
            self._hanging -= Counter([(limit.what, owner)])
            hanging = self._hanging.total()
        self._observer.tell(CallsHanging(hanging))


def is_ours(code: object) -> bool:
    """Whether a plug-in, or a method of one, is of this project: it is known not to hang.

    Others may be called where nothing else goes on meanwhile, such as on an event loop, by nobody.
    """
    kind = code if hasattr(code, "__name__") else type(code)
    return str(getattr(kind, "__module__", "")).partition(".")[0] in OURS


@dataclass(frozen=True, slots=True)
class _Call:
    """One function, and the thread that calls it."""

    function: Callable[[], Any]
    thread: _Thread
    result: Future[Any]

    @property
    def place(self) -> str:
        """Where it is now, from the innermost call outwards."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        if frame is None:
            return "nothing any more"
        own = traceback.extract_stack(frame)[OUTER_FRAMES:]
        frames = own[: -SHOWN_FRAMES - 1 : -1]
        shown = [f"{each.name} ({each.filename}:{each.lineno})" for each in frames]
        return ", called by ".join(shown)


class _Threads:
    """Threads for calls. The one that was used last is used next, and one too many ends.

    So few allocate at all: what each has allocated and freed is kept for its next call.
    """

    def __init__(self) -> None:
        self._idle: list[_Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, function: Callable[[], Any]) -> _Call:
        with self._lock:
            thread = self._idle.pop() if self._idle else None
        if thread is None:
            thread = _Thread(self)
            thread.start()
        result: Future[Any] = Future()
        result.set_running_or_notify_cancel()
        call = _Call(partial(copy_context().run, function), thread, result)
        thread.calls.put(call)
        return call

    def take_back(self, thread: _Thread) -> None:
        with self._lock:
            if self._closed:
                thread.calls.put(None)
            else:
                self._idle.append(thread)

    def close(self) -> None:
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for thread in idle:
            thread.calls.put(None)
            thread.join(IDLE_SECONDS)

    def dismiss(self, thread: _Thread) -> bool:
        """Whether a thread may end: it was given nothing meanwhile."""
        with self._lock:
            if thread not in self._idle:
                return False
            self._idle.remove(thread)
            return True


class _Thread(threading.Thread):
    """It is a daemon: one that hangs does not keep the process from its end."""

    def __init__(self, threads: _Threads) -> None:
        super().__init__(name="bounded-call", daemon=True)
        self.calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads = threads

    def run(self) -> None:
        while True:
            try:
                call = self.calls.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._threads.dismiss(self):
                    return
                continue
            if call is None:
                return
            self._make(call)
            del call  # or it would be kept until the next one, with all that it holds

    def _make(self, call: _Call) -> None:
        try:
            found = call.function()
        except BaseException as exc:
            self._threads.take_back(self)
            call.result.set_exception(exc)
        else:
            self._threads.take_back(self)
            call.result.set_result(found)
        finally:
            del call  # an error would keep itself: by this frame
