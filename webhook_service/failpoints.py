"""Failpoints: named places at which a test lets this process die, stop or fail.

``WEBHOOK_SERVICE_FAILPOINTS`` arms them, as ``name=action`` or ``name=action@n`` for the n-th time
that the place is reached, separated by commas. Unarmed, a failpoint does nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock

VARIABLE = "WEBHOOK_SERVICE_FAILPOINTS"


class FailpointError(Exception):
    """What the action ``error`` raises: a fault that nobody foresaw."""


class _Failpoint:
    def __init__(self, action: Callable[[], None], turn: int) -> None:
        self._action = action
        self._turn = turn
        self._reached = 0
        self._lock = Lock()

    def reach(self) -> None:
        with self._lock:
            self._reached += 1
            due = self._reached == self._turn
        if due:
            self._action()


def failpoint(name: str) -> None:
    """Do here what the environment asks for: nothing, in all but a test of crashes.

    Args:
        name: names the place, such as ``accept.committed``.
    """
    if armed := _armed().get(name):
        armed.reach()


@cache
def _armed() -> Mapping[str, _Failpoint]:
    text = os.environ.get(VARIABLE, "")
    return dict(_read(part) for part in text.split(",") if part.strip())


def _read(text: str) -> tuple[str, _Failpoint]:
    name, equals, rest = text.strip().partition("=")
    action, _, turn = rest.partition("@")
    word, _, value = action.partition(":")
    if not equals or word not in _ACTIONS or not (turn or "1").isdigit():
        words = ", ".join(_ACTIONS)
        raise ValueError(f"{VARIABLE}: {text!r} is not name=action[@n], with one of {words}.")
    return name, _Failpoint(lambda: _ACTIONS[word](value), int(turn or 1))


def _signal(number: signal.Signals) -> Callable[[str], None]:
    return lambda _: os.kill(os.getpid(), number)


def _fail(_: str) -> None:
    raise FailpointError("a failpoint failed, as it was asked to")


_ACTIONS: Mapping[str, Callable[[str], None]] = {
    "kill": _signal(signal.SIGKILL),
    "stop": _signal(signal.SIGSTOP),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "error": _fail,
}
