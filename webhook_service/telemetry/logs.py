"""Logging of the service's own process: one line per record, as text or JSON, without secrets.

Only ``serve`` and the demo call this. An embedding application configures logging itself, and may
add ``Redact`` to its handlers.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal, TextIO

from webhook_service.errors import WebhookServiceError, with_cause
from webhook_service.telemetry.redaction import redacted

REPEAT_SECONDS = 60.0
STDERR = 2
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# What every record has; all else in it are fields that ``extra`` gave.
_OF_EVERY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})
_common: ContextVar[Mapping[str, Any]] = ContextVar("fields of all lines", default=_NO_FIELDS)


class Redact(logging.Filter):
    """Takes secrets out of a record, its traceback too, wherever they came from."""

    _tracebacks = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redacted(_one_line(_message_of(record)))
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = self._tracebacks.formatException(record.exc_info)
        # Formatters take the text that is there, and make none of their own.
        record.exc_text = record.exc_text and redacted(record.exc_text)
        record.stack_info = record.stack_info and redacted(record.stack_info)
        return True


class Sparing(logging.Filter):
    """Lets some lines of a kind pass in a while, and then says how many it left out.

    It is for the lines that strangers can cause: they must not fill a disk. Lines are of one kind
    if they are logged with the same text, whatever is put into it.

    Args:
        lines: of a kind that pass.
        seconds: the while.
        clock: seconds that never go back.
    """

    def __init__(
        self, lines: int = 20, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now, left_out = str(record.msg), self._clock(), 0
        with self._lock:
            begun, count = self._kinds.get(kind, (now, 0))
            if now - begun >= self._seconds:
                begun, left_out, count = now, max(0, count - self._lines), 0
            self._kinds[kind] = (begun, count + 1)
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} such lines were left out before)"
            record.args = None
        return count < self._lines

    def forget(self) -> None:
        """Begin to count anew."""
        self._kinds.clear()


STRANGERS = Sparing()


def sparing(name: str) -> logging.Logger:
    """The logger of a module for what strangers can cause."""
    log = logging.getLogger(f"{name}.strangers")
    log.addFilter(STRANGERS)
    return log


class TextFormatter(logging.Formatter):
    """One line of text, and the traceback of an exception below it."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created).isoformat(" ", "milliseconds")


class JsonFormatter(TextFormatter):
    """One JSON object per line, with the fields of ``extra`` and of ``common_fields``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        own = {key: each for key, each in vars(record).items() if key not in _OF_EVERY_RECORD}
        for name, value in {**_common.get(), **own}.items():
            if value is not None and name not in line:
                line[name] = _plain(value)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def _plain(value: object) -> object:
    """A field as JSON has it, without secrets."""
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return redacted(str(value))


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to standard error, also after a plug-in has closed ``sys.stderr``.

    Without that each line would raise where it is logged, so one plug-in would end all work.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream.closed:
            with suppress(OSError):
                self._open_again()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        with suppress(ValueError):  # nothing is left to write to
            super().handleError(record)

    def _open_again(self) -> None:
        """Python closes its object alone; the file of the process stays open."""
        was_ours = sys.stderr is self.stream
        self.stream = open(
            STDERR, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        if was_ours:
            sys.stderr = self.stream


@contextmanager
def common_fields(fields: Mapping[str, Any]) -> Iterator[None]:
    """Give all lines of this thread fields meanwhile, also those that plug-ins log."""
    token = _common.set({**_common.get(), **fields})
    try:
        yield
    finally:
        _common.reset(token)


def configure(form: Literal["text", "json"], level: str = "info") -> None:
    """Send the log to standard error in one of the two forms.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``. Of libraries only warnings and errors
            are logged at all.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    handler = StandardError()
    handler.addFilter(Redact())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(least, logging.WARNING))
    _skip_what_no_line_shows()
    logging.getLogger("webhook_service").setLevel(least)
    logging.getLogger("webhook_drivers").setLevel(least)


def _skip_what_no_line_shows() -> None:
    """https://docs.python.org/3/howto/logging.html#optimization"""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None


def _message_of(record: logging.LogRecord) -> str:
    """What a line says: a filter that raises would end what a library logs in passing."""
    try:
        return record.getMessage()
    except Exception as exc:
        said = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return f"{said} (its values cannot be put into it: {type(exc).__name__})"


def _one_line(text: str) -> str:
    """Control characters escaped: what a sender sends must not forge a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class FaultLog:
    """Logs what ends a loop's work, and lets the loop go on.

    An error of the service is a sentence in the log; any other one is a fault of the code, and is
    logged with its traceback. The same sentence again is logged once a minute only.

    Args:
        duty: what failed, to begin a sentence with.
    """

    def __init__(self, log: logging.Logger, duty: str) -> None:
        self._log = log
        self._duty = duty
        self._said = ""
        self._next = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except WebhookServiceError as exc:
            text, now = with_cause(exc), time.monotonic()
            if text != self._said or now >= self._next:
                self._log.warning("%s failed, trying again: %s", self._duty, text)
                self._said, self._next = text, now + REPEAT_SECONDS
        except BaseException:
            # Loops have threads of their own, and a plug-in may raise SystemExit in a chore.
            self._log.exception("%s failed, trying again.", self._duty)
        else:
            if self._said:
                self._log.info("%s works again.", self._duty)
                self._said = ""
