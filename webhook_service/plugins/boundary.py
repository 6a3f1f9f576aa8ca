"""The one boundary around everything that a plug-in says or raises.

A plug-in is other people's code in this process. Whatever it raises, ``SystemExit`` and
``asyncio.CancelledError`` among them, must end its own call only; and what it says is stored on
databases that take neither every text nor every number.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from webhook_service.errors import WebhookServiceError

MAX_STATE = 256 * 1024

log = logging.getLogger(__name__)


class Unstorable(Exception):
    """What a plug-in gave cannot be stored; the message says what, and never the value."""


def is_for_us(exc: BaseException) -> bool:
    """Whether an exception is no plug-in's: Ctrl-C, which reaches the main thread alone."""
    main = threading.current_thread() is threading.main_thread()
    return isinstance(exc, KeyboardInterrupt) and main


@contextmanager
def guarded(what: str, error: Callable[[str], WebhookServiceError]) -> Iterator[None]:
    """Call a plug-in: errors of the service pass, and anything else becomes one.

    Args:
        what: names the plug-in, to begin a sentence with: "The scheme hmac".
        error: makes the error that callers get; its sentence holds no text of the exception,
            which may hold secrets. The log has the traceback.
    """
    try:
        yield
    except WebhookServiceError:
        raise
    except BaseException as exc:
        if is_for_us(exc):
            raise
        log.exception("%s failed.", what)
        message = f"{what} failed with {type(exc).__name__}; the service's log has the details."
        raise error(message) from exc


def storable_text(text: object, limit: int) -> str:
    """As much of a plug-in's text as every database takes.

    NUL is left out, for PostgreSQL has no place for it; half of a surrogate pair is replaced, for
    it has no UTF-8.

    Raises:
        Unstorable: it is no text.
    """
    if not isinstance(text, str):
        raise Unstorable(f"a {type(text).__name__} stands where a text must be")
    whole = text[: 2 * limit].replace("\0", "")
    return whole.encode("utf-8", "replace").decode()[:limit]


def storable_seconds(seconds: object, least: float, most: float) -> float:
    """A plug-in's number of seconds, brought between two bounds.

    Raises:
        Unstorable: it is no number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise Unstorable(f"{str(seconds)[:20]!r} is no number of seconds")
    return float(min(max(seconds, least), most))


def storable_state(state: object) -> Mapping[str, Any]:
    """A plug-in's JSON, as it comes back once it was stored.

    Raises:
        Unstorable: it is no JSON object, holds numbers or texts that JSON cannot, or is too large.
    """
    if not isinstance(state, Mapping):
        raise Unstorable(f"the state is a {type(state).__name__} and no mapping")
    try:
        text = json.dumps(dict(state), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise Unstorable(f"the state is no JSON ({type(exc).__name__})") from exc
    if len(text) > MAX_STATE:
        raise Unstorable(f"the state is longer than {MAX_STATE // 1024} KiB of JSON")
    if "\\u0000" in text or "\\ud" in text.lower():
        # Escaped, a lone half of a surrogate pair passes as JSON, and no database takes it.
        text = json.dumps(_clean(json.loads(text)))
    found: Mapping[str, Any] = json.loads(text)
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value, MAX_STATE)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return value
