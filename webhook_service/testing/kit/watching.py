"""Watching a call: what it reaches for, what it leaves behind, and each effect that it has."""

from __future__ import annotations

import inspect
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
OUTSIDE = ("open", "socket.", "subprocess.", "os.", "shutil.", "sqlite3.")
SETTLE_SECONDS = 3.0

_reached: dict[int, set[str]] = {}
_hooked = threading.Event()


@contextmanager
def reaching() -> Iterator[set[str]]:
    """What the code of this thread reaches for meanwhile: files, sockets, clocks, chance."""
    if not _hooked.is_set():
        sys.addaudithook(_audited)  # it stays for the life of the process, and mostly does nothing
        _hooked.set()
    mine = threading.get_ident()
    found = _reached[mine] = set()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, arg: _profiled(found, event, arg))
    try:
        yield found
    finally:
        sys.setprofile(before)
        del _reached[mine]


def _audited(event: str, values: tuple[Any, ...]) -> None:
    found = _reached.get(threading.get_ident())
    if found is not None and event.startswith(OUTSIDE):
        found.add("a file" if event == "open" else event.partition(".")[0])


def _profiled(found: set[str], event: str, called: Any) -> None:
    if event != "c_call":
        return
    name, owner = called.__name__, getattr(called, "__self__", None)
    if name in CLOCKS and getattr(owner, "__name__", "") == "time":
        found.add("the clock")
    elif called is time.sleep:
        found.add("a pause")
    elif name in ("now", "utcnow", "today") and isinstance(owner, type) and issubclass(owner, date):
        found.add("the clock")
    elif isinstance(owner, random.Random) or called is os.urandom:
        found.add("chance")
    elif isinstance(owner, socket.socket):
        found.add("a socket")
    elif called is hash:
        found.add("hash(), which differs from process to process")


def new_threads(before: set[threading.Thread]) -> list[str]:
    """The threads that are there now and were not before; those that end at once do not count."""

    def extra() -> list[str]:
        return sorted(
            thread.name
            for thread in set(threading.enumerate()) - before
            if thread.name != "conformance-kit"
        )

    return _settled(extra)


def descriptors() -> dict[str, str]:
    """The open sockets of this process, by descriptor; nothing where /proc is missing."""
    found = {}
    for path in Path("/proc/self/fd").glob("*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue  # the one that lists the others
        if target.startswith(("socket:", "/")) and not target.startswith("/dev/"):
            found[path.name] = target
    return found


def new_descriptors(before: dict[str, str]) -> list[str]:
    """What is open now and was not before."""

    def extra() -> list[str]:
        there = set(before.values())
        return sorted(target for target in descriptors().values() if target not in there)

    return _settled(extra)


def _settled(extra: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + SETTLE_SECONDS
    while (found := extra()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


class Killed(BaseException):
    """Ends a driver at one of its effects; no ``except Exception`` catches it."""


class Effects:
    """Looks at a target after every line of a driver, and ends the driver at one of its effects.

    Args:
        home: the file or folder with the driver's code.
        look: gives the target as it is now.
        kill_at: the number of the effect to die after, from 1; 0 for none.
        pause: seconds to rest at each line, to let other threads in between.
    """

    def __init__(
        self,
        home: str,
        look: Callable[[], object],
        kill_at: int = 0,
        pause: Callable[[], None] | None = None,
    ) -> None:
        self._home, self._look, self._kill_at, self._pause = home, look, kill_at, pause
        self._looking = False
        self._last: object = look()
        self.seen = 0
        self.line = ""

    def __call__(self, frame: FrameType, event: str, value: Any) -> Any:
        if self._looking or not frame.f_code.co_filename.startswith(self._home):
            return None
        if self._pause is not None:
            self._pause()
        self._watch(frame)
        return self

    def _watch(self, frame: FrameType) -> None:
        self._looking = True
        try:
            now = self._look()
        finally:
            self._looking = False
        if now == self._last:
            return
        self._last = now
        self.seen += 1
        if self.seen == self._kill_at:
            self.line = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            raise Killed


@contextmanager
def traced(tracer: Any) -> Iterator[None]:
    """Let a tracer see every line of this thread."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


def home_of(target: type) -> str:
    """The file of a class; in a package, the folder of the package."""
    file = inspect.getfile(target)
    top, dot, _ = target.__module__.partition(".")
    folder = getattr(sys.modules.get(top), "__file__", None) if dot else None
    return str(Path(folder).parent) if folder and not is_test(file) else file


def is_test(file: str) -> bool:
    return Path(file).name.startswith(("test_", "conftest"))
