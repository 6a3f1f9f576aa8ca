"""Bodies that strangers may send: changed at every place, and made to take long.

All of it is the same in each run, so that a fault that was found once is found again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

MIB = 1 << 20
SEED = 20171206
MAX_PLACES = 60
MAX_LARGE = 15
CUTS, FLIPS = 40, 60

STRANGE: Sequence[Any] = (
    None,
    True,
    -1,
    10**30,
    0.5,
    "",
    " ",
    "\0",
    "\ud800",
    "a" * 5000,
    "../../x",
    "A:b:c@d",
    [],
    [[]],
    {},
    {"a": {}},
)
WHOLE: Sequence[bytes] = (
    b"",
    b" ",
    b"\0",
    b"\xff\xfe",
    b"null",
    b"0",
    b"1e999",
    b"NaN",
    b'"text"',
    b"[]",
    b"[null]",
    b"{}",
    b'{"a":1,"a":2}',
    b"[" * 5000,
    b"a=b&c",
    b"%00%ff=%",
    b"<xml/>",
)


def changed(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies that are not what the sender means, each with what was done to it."""
    for whole in WHOLE:
        yield f"the body {whole[:20]!r}", whole
    draw = Random(SEED)
    for _ in range(CUTS):
        cut = draw.randrange(len(body) + 1)
        yield f"its first {cut} bytes", body[:cut]
    for _ in range(FLIPS if body else 0):
        place, bit = draw.randrange(len(body)), draw.randrange(8)
        yield f"bit {bit} of byte {place} turned", flipped(body, place, bit)
    try:
        value = json.loads(body)
    except ValueError:
        return
    yield from _changed_json(value)


def _changed_json(value: Any) -> Iterator[tuple[str, bytes]]:
    for path in list(paths(value))[:MAX_PLACES]:
        where = ".".join(map(str, path))
        for strange in STRANGE:
            yield f"{where} as {strange!r:.30}", _dumped(with_at(value, path, strange))
        yield f"without {where}", _dumped(without(value, path))


def flipped(data: bytes, place: int, bit: int) -> bytes:
    """Bytes with one bit turned."""
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a JSON value, but for the whole."""
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for key, each in items:
        yield (*before, key)
        yield from paths(each, (*before, key))


def with_at(value: Any, path: Sequence[Any], new: Any) -> Any:
    """A JSON value with something else at one place."""
    found = copy.deepcopy(value)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return found


def without(value: Any, path: Sequence[Any]) -> Any:
    """A JSON value without one place."""
    found = copy.deepcopy(value)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return found


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def large(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies of a mebibyte that are made to take long."""
    yield "open arrays", b"[" * MIB
    yield "one long number", b"1" * MIB
    yield "quotes", b'"' * MIB
    yield "many small numbers", b"[" + b"1," * (MIB // 2 - 2) + b"1]"
    yield "form fields", b"a=b&" * (MIB // 4)
    try:
        value = json.loads(body)
    except ValueError:
        return
    for path in list(paths(value))[:MAX_LARGE]:
        found = _at(value, path)
        where = ".".join(map(str, path))
        if isinstance(found, str):
            for filler in ("a", "a/", "1."):
                text = (filler * MIB)[: MIB - len(body) - 100]
                yield f"{where} as {filler!r} again and again", _dumped(with_at(value, path, text))
        elif isinstance(found, list) and found:
            size = len(_dumped(found[0])) + 2
            yield (
                f"{where} with many items",
                _dumped(with_at(value, path, found[:1] * (MIB // size))),
            )


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def respaced(body: bytes) -> bytes | None:
    """The same JSON in other bytes; None for what is no JSON."""
    try:
        value: Mapping[str, Any] = json.loads(body)
    except ValueError:
        return None
    written = json.dumps(value, indent=1).encode()
    return written if written != body else json.dumps(value, indent=2).encode()
