"""Strict JSON for bodies from strangers: what it returns can be stored, compared and encoded.

Python's own reader accepts more than JSON (NaN, a repeated key, half a surrogate pair), and it
fails in several ways on hostile text. Here all of that raises one error, ``InvalidPayload``. RFC
8259 lets each reader decide on repeated keys and lone surrogates. Both are refused here, because
two readers of one signed body must not see two different pushes.

A format that reads known fields refuses them there only (``read_known``): a description that nobody
reads must not keep a push from being deployed.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NoReturn

from webhook_service.errors import InvalidPayload

MAX_DEPTH = 32
MAX_DIGITS = 400
# 1 MiB can hold half a million empty arrays: 40 MB of memory, and most of the time to read it.
MAX_CONTAINERS = 100_000
_TWICE = "The body names a field twice in one object."
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Read a JSON body.

    Args:
        body: the raw bytes, already bounded in length by the host. A byte order mark before them
            is passed over, as RFC 8259 (8.1) allows; what is signed is the body with it.
        max_depth: how many objects and arrays may be open at once.

    Raises:
        InvalidPayload: the body is not strict JSON; the message says where, and never what.
    """
    value = _read(body, max_depth, _DECODER)
    _check_escapes(body)
    return value


def _read(body: bytes, max_depth: int, decoder: json.JSONDecoder) -> Any:
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        raise InvalidPayload("The body is empty.")
    text = _decode(body)
    # First, because the reader recurses: it never sees what is too deep for it.
    _check_nesting(body, max_depth)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as exc:
        # `from None`: the cause carries the whole body.
        raise InvalidPayload(
            f"The body is not valid JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}."
        ) from None


def read_known(body: bytes) -> Any:
    """Read a JSON body of which only known fields are read, with ``Fields``.

    A field that stands twice, and a text with half a surrogate pair or NUL, are refused by whoever
    reads them.

    Raises:
        InvalidPayload: see ``read_json``.
    """
    return _read(body, MAX_DEPTH, _TOLERANT)


class Ambiguous(dict[str, Any]):
    """An object that names fields twice. To read one of those is an error; the others are fine."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.twice = frozenset(name for name, count in counts.items() if count > 1)

    def __getitem__(self, name: str) -> Any:
        if name in self.twice:
            raise InvalidPayload(_TWICE)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field that stands once."""
        return self[name] if name in self else default


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as exc:
        message = f"The body is not UTF-8: the byte at position {exc.start} cannot be read."
        raise InvalidPayload(message) from None


def _check_nesting(body: bytes, max_depth: int) -> None:
    """Count the brackets outside of strings, in time linear in the body."""
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    outside = body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    steps = b"".join(outside).translate(_STEPS, _NO_BRACKETS)
    if max(accumulate(memoryview(steps).cast("b")), default=0) > max_depth:
        raise InvalidPayload(f"The body nests deeper than {max_depth} levels.")
    if len(steps) > 2 * MAX_CONTAINERS:
        raise InvalidPayload(f"The body has more than {MAX_CONTAINERS} objects and arrays.")


def _check_escapes(body: bytes) -> None:
    """Refuse escapes that stand for no storable character; the body is valid JSON by now."""
    if rb"\u" not in body:
        return
    escapes = body.replace(rb"\\", b"..")
    if rb"\u0000" in escapes:
        # PostgreSQL can store it neither in text nor in jsonb.
        raise InvalidPayload("The body has a NUL character in a text.")
    if _SURROGATE.search(_PAIR.sub(b"..", escapes)):
        raise InvalidPayload("The body has half of a surrogate pair in a text.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidPayload(_TWICE)
    return found


def _tolerant_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Ambiguous(pairs)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS and len(digits.lstrip("-")) > MAX_DIGITS:
        raise InvalidPayload(f"The body has an integer of more than {MAX_DIGITS} digits.")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidPayload("The body has a number that is too large.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidPayload(f"The body has {name}, which is no JSON.")


def _decoder(read_object: Callable[[list[tuple[str, Any]]], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=read_object,
        parse_int=_integer,
        parse_float=_number,
        parse_constant=_refuse_constant,
    )


_DECODER, _TOLERANT = _decoder(_object), _decoder(_tolerant_object)
