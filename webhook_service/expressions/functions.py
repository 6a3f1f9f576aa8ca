"""The functions of expressions: CEL's own, and those for texts that cut a tag out of a ref.

Texts: https://pkg.go.dev/github.com/google/cel-go/ext#Strings. Each function counts what it reads
and makes before it does so. ``x.f(y)`` and ``f(x, y)`` are the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.regex import Regex, compile_regex
from webhook_service.expressions.values import (
    CelError,
    Kind,
    Meter,
    Uint,
    kind,
    of_kind,
    width,
)

# An expression that is compiled for one push alone costs up to so many steps.
_COMPILING = 1000
_MAX_PATTERN = 256
# What Python takes for a list's part that is a short text.
_PART = 64
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf|nan", re.I)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_SPAN = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)(h|ms|m|s|us|ns)")
_MAX_SPAN = 64
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

Run = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: the types that it takes (``any`` fits all), and how many may be left out."""

    run: Run
    takes: tuple[str, ...]
    optional: int = 0

    def __call__(self, name: str, arguments: list[Any], meter: Meter) -> Any:
        """Call it.

        Raises:
            CelError: the arguments have other types, or no result.
        """
        for value, wanted in zip(arguments, self.takes, strict=False):
            if kind(value) not in wanted.split("|") and wanted != "any":
                given = ", ".join(kind(argument) for argument in arguments)
                raise CelError(f"{name}() is written {self.usage(name)}; it was given {given}.")
        meter.step(2)
        try:
            return self.run(meter, *arguments)
        except (ArithmeticError, ValueError) as exc:
            # What Python's own types cannot hold, such as the year 0 of a time zone.
            raise CelError(f"{name}() has no value for what it was given.") from exc

    def usage(self, name: str) -> str:
        """How it is written, such as ``string.replace(string, string[, int])``."""
        first, *rest = self.takes
        given = rest[: len(rest) - self.optional]
        left_out = "".join(f"[, {takes}]" for takes in rest[len(given) :])
        listed = f"{', '.join(given)}{left_out}".removeprefix("[, ")
        listed = f"[{listed}" if not given and left_out else listed
        return f"{first}.{name}({listed})" if rest or self.optional else f"{name}({first})"


def _size(meter: Meter, value: Any) -> int:
    if kind(value) not in ("string", "bytes", "list", "map"):
        raise CelError(f"size() takes a text, a list or a map; it was given {kind(value)}.")
    return len(value)


def _searched(meter: Meter, text: str, part: str, *, backwards: bool = False) -> None:
    """Count a search; the short ones of Python may compare each place with the whole part."""
    compared = len(part) if backwards or len(text) < 2500 else min(len(part), 100)
    meter.step(len(text) * max(compared, 1) // 1000)


def _contains(meter: Meter, text: str, part: str) -> bool:
    _searched(meter, text, part)
    return part in text


def _starts_with(meter: Meter, text: str, part: str) -> bool:
    meter.step(len(part) // 4096)
    return text.startswith(part)


def _ends_with(meter: Meter, text: str, part: str) -> bool:
    meter.step(len(part) // 4096)
    return text.endswith(part)


def _matches(meter: Meter, text: str, pattern: Any) -> bool:
    if isinstance(pattern, str):
        if len(pattern) > _MAX_PATTERN:
            raise CelError(f"a regular expression has at most {_MAX_PATTERN} characters.")
        meter.step(_COMPILING)
        try:
            pattern = compile_regex(pattern, "cel")
        except InvalidConfig as exc:
            raise CelError(exc.message) from exc
    if not isinstance(pattern, Regex):
        raise CelError("matches() takes a regular expression as a text.")
    meter.step(5 + len(text) * pattern.size // 100)
    return pattern.pattern.search(text) is not None


def _lower(meter: Meter, text: str) -> str:
    return _mapped(meter, text, _LOWER)


def _upper(meter: Meter, text: str) -> str:
    return _mapped(meter, text, _UPPER)


def _mapped(meter: Meter, text: str, table: Mapping[int, int]) -> str:
    meter.step(len(text) // 20)
    meter.make(width(text) * len(text))
    return text.translate(table)


def _trim(meter: Meter, text: str) -> str:
    meter.step(len(text) // 100)
    meter.make(width(text) * len(text))
    return text.strip()


def _replace(meter: Meter, text: str, old: str, new: str, limit: int = -1) -> str:
    _searched(meter, text, old)
    _searched(meter, text, old)
    count = text.count(old)
    count = count if limit < 0 else min(count, limit)
    meter.step(count // 20)
    meter.make(width(text, new) * (len(text) + count * len(new)))
    return text.replace(old, new, count)


def _split(meter: Meter, text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    _searched(meter, text, separator)
    count = text.count(separator) + 1 if separator else len(text)
    count = count if limit < 0 else min(count, limit)
    meter.step(count // 10)
    meter.make(_PART * count + width(text) * len(text))
    if separator:
        return text.split(separator, count - 1)
    return [*text[: count - 1], text[count - 1 :]] if text else []


def _join(meter: Meter, parts: list[Any], separator: str = "") -> str:
    meter.step(len(parts) // 10)
    if any(type(part) is not str for part in parts):
        raise CelError("join() takes a list of texts.")
    size = sum(map(len, parts)) + len(separator) * len(parts)
    meter.step(size // 1000)
    meter.make(width(separator, *parts) * size)
    return separator.join(parts)


def _substring(meter: Meter, text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise CelError(f"substring({start}, {last}) is outside a text of {len(text)} characters.")
    meter.make(width(text) * (last - start))
    return text[start:last]


def _char_at(meter: Meter, text: str, place: int) -> str:
    if not 0 <= place <= len(text):
        raise CelError(f"charAt({place}) is outside a text of {len(text)} characters.")
    return text[place : place + 1]


def _index_of(meter: Meter, text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise CelError(f"indexOf() begins outside a text of {len(text)} characters.")
    _searched(meter, text, part)
    return text.find(part, start)


def _last_index_of(meter: Meter, text: str, part: str, last: int | None = None) -> int:
    if last is not None and not 0 <= last <= len(text):
        raise CelError(f"lastIndexOf() begins outside a text of {len(text)} characters.")
    _searched(meter, text, part, backwards=True)
    return text.rfind(part, 0, None if last is None else last + len(part))


def _int(meter: Meter, value: Any) -> int:
    return _to_whole(value, int)


def _uint(meter: Meter, value: Any) -> int:
    return _to_whole(value, Uint)


def _to_whole(value: Any, target: type[int]) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return of_kind(int(value), target)
    if isinstance(value, float) and math.isfinite(value):
        return of_kind(int(value), target)
    if isinstance(value, int) and not isinstance(value, bool):
        return of_kind(int(value), target)
    if isinstance(value, datetime) and target is int:
        return math.floor(value.timestamp())
    raise CelError(f"a {kind(value)} like this one is no whole number.")


def _to_double(meter: Meter, value: Any) -> float:
    if isinstance(value, str) and len(value) <= _MAX_SPAN and _NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(of_kind(value, type(value)) if isinstance(value, int) else value)
    raise CelError(f"a {kind(value)} like this one is no number.")


def _string(meter: Meter, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(of_kind(value, type(value)))
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{repr(value.total_seconds()).removesuffix('.0')}s"
    if isinstance(value, bytes):
        meter.make(4 * len(value))
        try:
            return value.decode()
        except UnicodeDecodeError as exc:
            raise CelError("these bytes are no text.") from exc
    raise CelError(f"a {kind(value)} is no text.")


def _bytes(meter: Meter, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    meter.make(4 * len(value))
    return str(value).encode("utf-8", "replace")


def _bool(meter: Meter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "0"):
        return False
    raise CelError("bool() takes true or false.")


def _timestamp(meter: Meter, value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            if not _TIME.fullmatch(value):
                raise ValueError(value[:40])
            return datetime.fromisoformat(value).astimezone(UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise CelError("timestamp() takes a time such as 2026-11-26T08:00:00Z.") from exc


def _duration(meter: Meter, value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    meter.step(len(value) // 4)
    sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
    parts = _SPAN.findall(text) if len(text) <= _MAX_SPAN else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise CelError("duration() takes a time such as 1h30m or 90s.")
    try:
        return timedelta(seconds=sign * sum(float(n) * _SECONDS[unit] for n, unit in parts))
    except OverflowError as exc:
        raise CelError("this duration is too long.") from exc


def _clock(of_moment: Callable[[datetime], int], of_span: float | None = None) -> Function:
    """A ``get…`` function; those with a factor take durations too."""

    def run(meter: Meter, value: Any, zone: str | None = None) -> int:
        if isinstance(value, timedelta):
            if of_span is None or zone is not None:
                raise CelError("a duration has no date and no time zone.")
            return int(value.total_seconds() * of_span)
        return of_moment(value if zone is None else value.astimezone(_zone(meter, zone)))

    takes = "timestamp" if of_span is None else "timestamp|duration"
    return Function(run, (takes, "string"), optional=1)


def _zone(meter: Meter, name: str) -> Any:
    # It may have to be read from a file.
    meter.step(_COMPILING // 2)
    try:
        if re.fullmatch(r"[+-]?[0-9]{2}:[0-9]{2}", name):
            offset = datetime.fromisoformat(
                f"2000-01-01T00:00:00{name if name[0] in '+-' else f'+{name}'}"
            )
            return offset.tzinfo
        return ZoneInfo(name[:64])
    except (KeyError, ValueError, OSError) as exc:
        raise CelError("a time zone has a name such as Europe/Berlin.") from exc


def _type(meter: Meter, value: Any) -> Kind:
    return Kind(kind(value))


_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_UPPER = {lower: upper for upper, lower in _LOWER.items()}

FUNCTIONS: Mapping[str, Function] = {
    "size": Function(_size, ("any",)),
    "contains": Function(_contains, ("string", "string")),
    "startsWith": Function(_starts_with, ("string", "string")),
    "endsWith": Function(_ends_with, ("string", "string")),
    "matches": Function(_matches, ("string", "any")),
    "lowerAscii": Function(_lower, ("string",)),
    "upperAscii": Function(_upper, ("string",)),
    "trim": Function(_trim, ("string",)),
    "replace": Function(_replace, ("string", "string", "string", "int"), optional=1),
    "split": Function(_split, ("string", "string", "int"), optional=1),
    "join": Function(_join, ("list", "string"), optional=1),
    "substring": Function(_substring, ("string", "int", "int"), optional=1),
    "charAt": Function(_char_at, ("string", "int")),
    "indexOf": Function(_index_of, ("string", "string", "int"), optional=1),
    "lastIndexOf": Function(_last_index_of, ("string", "string", "int"), optional=1),
    "int": Function(_int, ("any",)),
    "uint": Function(_uint, ("any",)),
    "double": Function(_to_double, ("any",)),
    "string": Function(_string, ("any",)),
    "bytes": Function(_bytes, ("string|bytes",)),
    "bool": Function(_bool, ("string|bool",)),
    "type": Function(_type, ("any",)),
    "dyn": Function(lambda meter, value: value, ("any",)),
    "timestamp": Function(_timestamp, ("string|int|timestamp",)),
    "duration": Function(_duration, ("string|duration",)),
    "getFullYear": _clock(lambda moment: moment.year),
    "getMonth": _clock(lambda moment: moment.month - 1),
    "getDayOfYear": _clock(lambda moment: moment.timetuple().tm_yday - 1),
    "getDayOfMonth": _clock(lambda moment: moment.day - 1),
    "getDate": _clock(lambda moment: moment.day),
    "getDayOfWeek": _clock(lambda moment: moment.isoweekday() % 7),
    "getHours": _clock(lambda moment: moment.hour, 1 / 3600),
    "getMinutes": _clock(lambda moment: moment.minute, 1 / 60),
    "getSeconds": _clock(lambda moment: moment.second, 1),
    "getMilliseconds": _clock(lambda moment: moment.microsecond // 1000, 1000),
}
