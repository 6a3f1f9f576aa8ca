"""What the kit finds: a sentence that names the fault, and calls that cannot hang a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from webhook_service.errors import WebhookServiceError

T = TypeVar("T")
SHOWN = 300


class Fault(AssertionError):
    """A plug-in breaks its contract; the message says where, and what to do."""


def require(holds: object, sentence: str) -> None:
    """Go on if something holds.

    Raises:
        Fault: it does not; the sentence says what is wrong.
    """
    if not holds:
        raise Fault(sentence)


def shown(value: object) -> str:
    """A value for a sentence, cut."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def within(seconds: float, what: str, call: Callable[..., T], *values: Any) -> T:
    """Call a plug-in on a thread of its own, and give up waiting after some seconds.

    Raises:
        Fault: it did not return in time.
    """
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call(*values))
        except BaseException as exc:  # every exception goes on in the thread that asked
            raised.append(exc)

    thread = threading.Thread(target=run, name="conformance-kit", daemon=True)
    thread.start()
    thread.join(seconds)
    require(not thread.is_alive(), f"{what} did not return in {seconds:g} s.")
    if raised:
        raise raised[0]
    return found[0]


def by_contract(what: str, allowed: str, call: Callable[[], T]) -> T:
    """Call a plug-in, and let only the errors of its contract pass.

    Args:
        allowed: what it may raise instead, for the sentence.

    Raises:
        Fault: it raised something else.
    """
    try:
        return call()
    except (WebhookServiceError, Fault):
        raise
    except (Exception, SystemExit, asyncio.CancelledError) as exc:
        kind = type(exc).__name__
        raise Fault(f"{what} raised {kind}, which its contract does not name: {allowed}.") from exc
