"""Values of expressions and how they compare and combine, by CEL's rules.

https://github.com/cel-expr/cel-spec/blob/master/doc/langdef.md#values. Python's types stand for
CEL's, so that a body is not copied: int, ``Uint``, float, str, bytes, bool, None, list, dict,
datetime, timedelta.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

INT_MAX = 2**63 - 1


class ExpressionFailed(Exception):
    """The expression has no value for the values that it was given; the text says why."""


class CelError(ExpressionFailed):
    """An error within CEL: ``false && error`` is false."""


class NoSuchField(CelError):
    """A field or key that is not there."""


class TooDear(ExpressionFailed):
    """The expression costs more than it may; nothing within CEL makes up for that."""


class Uint(int):
    """CEL's unsigned integers."""

    __slots__ = ()


class Kind(str):
    """A type as a value: what ``type(x)`` gives."""

    __slots__ = ()


KINDS: Mapping[type, str] = {
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    bool: "bool",
    NoneType: "null_type",
    list: "list",
    dict: "map",
    datetime: "timestamp",
    timedelta: "duration",
    Kind: "type",
}
TYPES: Mapping[str, Kind] = {
    name: Kind(name) for name in KINDS.values() if name not in ("timestamp", "duration")
}
_NUMBERS = frozenset({"int", "uint", "double"})
_ORDERED = frozenset({"string", "bytes", "bool", "timestamp", "duration"})


class Meter:
    """What one evaluation may still cost: steps of about a microsecond, and bytes that it makes.

    Args:
        steps: how many.
        size: how many bytes.
        pool: what several evaluations share, for when their own part is used up.
    """

    __slots__ = ("_bytes", "_pool", "_steps")

    def __init__(self, steps: int, size: int, pool: Meter | None = None) -> None:
        self._steps = steps
        self._bytes = size
        self._pool = pool

    def step(self, count: int = 1) -> None:
        """Count work before it is done.

        Raises:
            TooDear: there have been too many.
        """
        self._steps -= count
        if self._steps >= 0:
            return
        if self._pool is None:
            raise TooDear("it takes too many steps for this call; loop over less.")
        missing, self._steps = -self._steps, 0
        self._pool.step(missing)

    def make(self, size: int) -> None:
        """Count bytes before they are made.

        Raises:
            TooDear: there have been too many.
        """
        self._bytes -= size
        if self._bytes >= 0:
            return
        if self._pool is None:
            raise TooDear("it makes too many or too long texts and lists for this call.")
        missing, self._bytes = -self._bytes, 0
        self._pool.make(missing)


def kind(value: Any) -> str:
    """CEL's name of the value's type."""
    return KINDS.get(type(value), "unknown")


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """``==``: numbers by value, the rest by type and content; other types are unlike."""
    meter.step()
    a, b = kind(left), kind(right)
    if a in _NUMBERS and b in _NUMBERS:
        return bool(left == right)
    if a != b:
        return False
    if a == "list":
        return len(left) == len(right) and all(
            equal(x, y, meter) for x, y in zip(left, right, strict=True)
        )
    if a == "map":
        return len(left) == len(right) and all(
            key in right and equal(value, right[key], meter) for key, value in left.items()
        )
    if a in ("string", "bytes"):
        meter.step(len(left) // 4096)
    return bool(left == right)


def compare(sign: str, left: Any, right: Any, meter: Meter) -> bool:
    """``<``, ``<=``, ``>``, ``>=``."""
    a, b = kind(left), kind(right)
    if not (a in _NUMBERS and b in _NUMBERS) and not (a == b and a in _ORDERED):
        raise CelError(f"{a} {sign} {b} cannot be compared.")
    if a in ("string", "bytes"):
        meter.step(min(len(left), len(right)) // 4096)
    return bool(_COMPARISONS[sign](left, right))


def combine(sign: str, left: Any, right: Any, meter: Meter) -> Any:
    """``+``, ``-``, ``*``, ``/``, ``%``."""
    a, b = kind(left), kind(right)
    if a == b and a in ("int", "uint"):
        return _whole(sign, left, right, type(left))
    if a == b == "double":
        return _double(sign, left, right)
    if sign == "+" and a == b and a in ("string", "bytes", "list"):
        return join(left, right, meter)
    if sign in "+-" and {a, b} <= {"timestamp", "duration"}:
        return _time(sign, left, right)
    raise CelError(f"{a} {sign} {b} has no meaning; string() and int() convert.")


def join(left: Any, right: Any, meter: Meter) -> Any:
    """Two texts or lists one after the other, counted before they are made."""
    size = len(left) + len(right)
    meter.make(8 * size if isinstance(left, list) else width(left, right) * size)
    return left + right


def width(*texts: str | bytes) -> int:
    """How many bytes Python takes at most for a character of these texts, or of parts of them."""
    plain = all(isinstance(text, bytes) or text.isascii() for text in texts)
    return 1 if plain else 4


def of_kind(value: int, target: type[int]) -> int:
    """A whole number within CEL's 64 bits.

    Raises:
        CelError: it does not fit.
    """
    lowest, highest = (0, 2 * INT_MAX + 1) if target is Uint else (-INT_MAX - 1, INT_MAX)
    if not lowest <= value <= highest:
        raise CelError("a whole number is outside 64 bits.")
    return target(value)


def _whole(sign: str, left: int, right: int, target: type[int]) -> int:
    left, right = int(of_kind(left, target)), int(of_kind(right, target))
    if sign in "/%" and right == 0:
        raise CelError("a number is divided by zero.")
    if sign == "/":
        # Towards zero, where Python goes down.
        quotient = abs(left) // abs(right)
        return of_kind(quotient if (left < 0) == (right < 0) else -quotient, target)
    if sign == "%":
        return of_kind(int(math.copysign(1, left)) * (abs(left) % abs(right)), target)
    return of_kind(_ARITHMETIC[sign](left, right), target)


def _double(sign: str, left: float, right: float) -> float:
    if sign == "%":
        raise CelError("double % double has no meaning; int() converts.")
    if sign != "/":
        return float(_ARITHMETIC[sign](left, right))
    if right:
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _time(sign: str, left: Any, right: Any) -> Any:
    if sign == "+" and isinstance(left, timedelta):
        left, right = right, left
    try:
        return _ARITHMETIC[sign](left, right)
    except (OverflowError, TypeError) as exc:
        raise CelError(f"{kind(left)} {sign} {kind(right)} has no value.") from exc


def utc(moment: datetime) -> datetime:
    """A timestamp as expressions see it."""
    return moment.astimezone(UTC)


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
