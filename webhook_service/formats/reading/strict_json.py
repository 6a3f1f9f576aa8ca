"""Strict JSON for bodies from strangers: what it returns can be stored, compared and encoded.

Python's own reader accepts more than JSON (NaN, a repeated key, half a surrogate pair), and it
fails in several ways on hostile text. Here all of that raises one error, ``InvalidPayload``. RFC
8259 lets each reader decide on repeated keys and lone surrogates. Both are refused here, because
two readers of one signed body must not see two different pushes.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn

from webhook_service.errors import InvalidPayload

MAX_DEPTH = 32
MAX_DIGITS = 400
# 1 MiB can hold half a million empty arrays: 40 MB of memory, and most of the time to read it.
MAX_CONTAINERS = 100_000
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Read a JSON body.

    Args:
        body: the raw bytes, already bounded in length by the host.
        max_depth: how many objects and arrays may be open at once.

    Raises:
        InvalidPayload: the body is not strict JSON; the message says where, and never what.
    """
    if not body.strip():
        raise InvalidPayload("The body is empty.")
    text = _decode(body)
    # First, because the reader recurses: it never sees what is too deep for it.
    _check_nesting(body, max_depth)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        # `from None`: the cause carries the whole body.
        raise InvalidPayload(
            f"The body is not valid JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}."
        ) from None
    _check_escapes(body)
    return value


def _decode(body: bytes) -> str:
    if body.startswith(codecs.BOM_UTF8):
        raise InvalidPayload("The body starts with a byte order mark; send UTF-8 without it.")
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
        raise InvalidPayload("The body names a field twice in one object.")
    return found


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


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_refuse_constant,
)
