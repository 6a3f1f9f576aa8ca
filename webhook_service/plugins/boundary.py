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
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import UnionType
from typing import Any

from webhook_service.driver import Observed, Offer, Plan, PushEvent
from webhook_service.errors import Change, WebhookServiceError
from webhook_service.formats.format import Dropped, Parsed

MAX_STATE = 256 * 1024
MAX_VALUE = 2000
MAX_CHANGES = 10_000
MAX_ERROR = 2000
# As many as the largest batch of a sender has.
MAX_ITEMS = 2000
# PostgreSQL's indexes take values of 2,704 bytes; a slot stands there behind its project.
MAX_SLOT_BYTES = 1500
MAX_REASON = 40
# Callers may make a plug-in fail as often as they like: each failure is logged once in so long.
LOG_SECONDS = 10.0
MAX_LOGGED = 1000

log = logging.getLogger(__name__)
_logged: dict[str, float] = {}


class Unstorable(Exception):
    """What a plug-in gave cannot be stored; the message says what, and never the value."""


def is_for_us(exc: BaseException) -> bool:
    """Whether an exception is no plug-in's: Ctrl-C, which reaches the main thread alone."""
    main = threading.current_thread() is threading.main_thread()
    return isinstance(exc, KeyboardInterrupt) and main


class guarded:
    """Call a plug-in in a ``with`` block: its contract's errors pass, anything else becomes one.

    Args:
        what: names the plug-in, to begin a sentence with: "The scheme hmac".
        error: makes the error that callers get; its sentence holds no text of the exception,
            which may hold secrets. The log has the traceback.
        passes: what the contract allows to be raised.
    """

    __slots__ = ("_error", "_passes", "_what")

    def __init__(
        self,
        what: str,
        error: Callable[[str], WebhookServiceError],
        passes: tuple[type[WebhookServiceError], ...] = (WebhookServiceError,),
    ) -> None:
        self._what = what
        self._error = error
        self._passes = passes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        if exc is None or is_for_us(exc):
            return
        if isinstance(exc, self._passes):
            # A subclass need not call ours, and its text must fit into an answer.
            exc.message = storable_text(getattr(exc, "message", ""), MAX_ERROR)
            return
        _log(self._what, exc)
        said = f"failed with {type(exc).__name__}; the service's log has the details"
        if isinstance(exc, Unstorable):
            said = f"gave what cannot be used: {exc}"
        raise self._error(f"{self._what} {said}.") from exc


def ask(kind: type | UnionType, method: Callable[..., object], *values: object) -> Any:
    """Call a method of a plug-in, and insist on what it returns.

    A scheme that returns False, or a coroutine that nobody waits for, has not refused a call; it
    has not verified it either.

    Raises:
        Unstorable: it returned something else.
    """
    found = method(*values)
    if not isinstance(found, kind):
        name = getattr(method, "__name__", "it")
        wanted = "nothing" if kind is type(None) else getattr(kind, "__name__", str(kind))
        raise Unstorable(f"{name} returned a {type(found).__name__}, and must return {wanted}")
    return found


def _log(what: str, exc: BaseException) -> None:
    now = time.monotonic()
    if now - _logged.get(what, -math.inf) < LOG_SECONDS:
        return
    if len(_logged) >= MAX_LOGGED:
        _logged.clear()
    _logged[what] = now
    log.error("%s failed; that is logged once in %g s.", what, LOG_SECONDS, exc_info=exc)


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


def storable_json(value: object, name: str) -> Mapping[str, Any]:
    """A plug-in's JSON object, as it comes back once it was stored.

    Args:
        name: what it is called in the error: "state".

    Raises:
        Unstorable: it is no JSON object, holds numbers or texts that JSON cannot, or is too large.
    """
    if not isinstance(value, Mapping):
        raise Unstorable(f"the {name} is a {type(value).__name__} and no mapping")
    try:
        text = json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as exc:
        raise Unstorable(f"the {name} is no JSON ({type(exc).__name__})") from exc
    if len(text) > MAX_STATE:
        raise Unstorable(f"the {name} is longer than {MAX_STATE // 1024} KiB of JSON")
    if "\\u0000" in text or "\\ud" in text.lower():
        # Escaped, a lone half of a surrogate pair passes as JSON, and no database takes it.
        text = json.dumps(_clean(json.loads(text)))
    found: Mapping[str, Any] = json.loads(text)
    return found


def storable_slot(slot: object) -> str:
    """A driver's slot as it is: cut or cleaned it could be another one's.

    Raises:
        Unstorable: it is no text, or one that a database refuses.
    """
    text = _whole(slot, MAX_SLOT_BYTES, "slot")
    if len(text.encode()) > MAX_SLOT_BYTES:
        raise Unstorable(f"the slot is longer than {MAX_SLOT_BYTES} bytes")
    return text


def storable_changes(changes: object) -> tuple[Change, ...]:
    """A driver's changes, each text cut to what is kept of it.

    Raises:
        Unstorable: they are no changes, or too many.
    """
    return tuple([_storable_change(each) for each in _several(changes, "changes", MAX_CHANGES)])


def storable_plan(plan: object) -> Plan:
    """A driver's plan, likewise."""
    if not isinstance(plan, Plan):
        raise Unstorable(f"a {type(plan).__name__} stands where a Plan must be")
    notes = [storable_text(note, MAX_VALUE) for note in _several(plan.notes, "notes", MAX_CHANGES)]
    return Plan(storable_changes(plan.changes), tuple(notes))


def storable_observed(found: object) -> tuple[Observed, ...] | None:
    """What a driver saw on its targets, each text cut likewise; None if it cannot tell."""
    if found is None:
        return None
    return tuple([_storable_sight(each) for each in _several(found, "targets", MAX_ITEMS)])


def _storable_sight(sight: object) -> Observed:
    if not isinstance(sight, Observed):
        raise Unstorable(f"a {type(sight).__name__} stands among what was observed")
    at = sight.at if isinstance(sight.at, datetime) and sight.at.utcoffset() is not None else None
    replaced = None if sight.replaced is None else storable_text(sight.replaced, MAX_VALUE)
    return Observed(
        target=storable_text(sight.target, MAX_VALUE),
        image=storable_text(sight.image, MAX_VALUE),
        by=storable_text(sight.by, MAX_VALUE),
        at=at,
        ours=bool(sight.ours),
        unfinished=bool(sight.unfinished),
        replaced=replaced,
    )


def shown_offers(found: object) -> tuple[Offer, ...]:
    """What a driver offers to people who write a config, each text cut likewise."""
    return tuple([_shown_offer(each) for each in _several(found, "offers", MAX_ITEMS)])


def _shown_offer(offer: object) -> Offer:
    if not isinstance(offer, Offer):
        raise Unstorable(f"a {type(offer).__name__} stands among the offers")
    images = _several(offer.images, "images", MAX_ITEMS)
    return Offer(
        label=storable_text(offer.label, MAX_VALUE),
        config=storable_json(offer.config, "config"),
        images=tuple([storable_text(image, MAX_VALUE) for image in images]),
        problem=storable_text(offer.problem, MAX_VALUE),
        more=bool(offer.more),
    )


def storable_warnings(found: object) -> tuple[str, ...]:
    """A driver's sentences about a config, each cut to what is shown of it."""
    texts = _several(found, "warnings", MAX_ITEMS)
    return tuple([storable_text(text, MAX_VALUE) for text in texts])


def storable_parsed(parsed: object) -> Parsed:
    """What a format read.

    Names of images are taken as they are or not at all: cleaned they would name others.

    Raises:
        Unstorable: a part of it is not what the contract says, or cannot be stored.
    """
    if not isinstance(parsed, Parsed):
        raise Unstorable(f"parse returned a {type(parsed).__name__}, and must return Parsed")
    return Parsed(
        tuple([_storable_event(each) for each in _several(parsed.events, "events", MAX_ITEMS)]),
        tuple([_storable_drop(each) for each in _several(parsed.dropped, "dropped", MAX_ITEMS)]),
        None if parsed.reply is None else storable_json(parsed.reply, "reply"),
    )


def _storable_event(event: object) -> PushEvent:
    if not isinstance(event, PushEvent):
        raise Unstorable(f"a {type(event).__name__} stands among the events")
    for name in ("registry", "repository"):
        if not _whole(getattr(event, name), MAX_VALUE, name):
            raise Unstorable(f"the {name} of an event is empty")
    for name in ("tag", "digest", "media_type", "actor", "source_id"):
        if (text := getattr(event, name)) is not None:
            _whole(text, MAX_VALUE, name)
    at = event.pushed_at
    if at is not None and not (isinstance(at, datetime) and at.utcoffset() is not None):
        raise Unstorable("pushed_at of an event is no datetime with a time zone")
    return event


def _storable_drop(drop: object) -> Dropped:
    if not isinstance(drop, Dropped):
        raise Unstorable(f"a {type(drop).__name__} stands among what was dropped")
    return replace(drop, reason=storable_text(drop.reason, MAX_REASON))


def _storable_change(change: object) -> Change:
    if not isinstance(change, Change):
        raise Unstorable(f"a {type(change).__name__} stands among the changes")
    before, after = change.before, change.after
    return Change(
        target=storable_text(change.target, MAX_VALUE),
        field=storable_text(change.field, MAX_VALUE),
        before=None if before is None else storable_text(before, MAX_VALUE),
        after=None if after is None else storable_text(after, MAX_VALUE),
    )


def _several(found: object, name: str, most: int) -> tuple[object, ...]:
    if not isinstance(found, tuple | list):
        raise Unstorable(f"the {name} are a {type(found).__name__} and no tuple")
    if len(found) > most:
        raise Unstorable(f"there are {len(found)} {name}, and {most} at most are taken")
    return tuple(found)


def _whole(text: object, most: int, name: str) -> str:
    if isinstance(text, str) and len(text) <= most and text.isprintable():
        return text  # what does not print has the half of a pair, and NUL, among it
    if storable_text(text, most) != text:
        raise Unstorable(f"the {name} is too long, or has characters that cannot be stored")
    return str(text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value, MAX_STATE)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return value
