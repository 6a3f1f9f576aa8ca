"""Tables that fit: columns shrink to a terminal's width, and a pipe gets whole, plain lines."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

GAP = "  "
SHORTEST_ID = 12
MIN_WIDTH = 8
_SPANS = ((86400, "d"), (3600, "h"), (60, "m"))


class Cell(StrEnum):
    """What a column shows."""

    TEXT = "text"
    ID = "id"
    AGE = "age"
    IMAGE = "image"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        path: of its value in an item: ``event.image``.
        wide: whether it is in wide tables only.
        shrinks: whether it may be cut where the terminal is narrow.
        spills: whether it goes on in the terminal's next line instead; for the last column, with
            words that people must read to the end or copy.
    """

    heading: str
    path: str
    kind: Cell = Cell.TEXT
    wide: bool = False
    shrinks: bool = False
    spills: bool = False


def columns_of(columns: Sequence[Column], wide: bool) -> Sequence[Column]:
    """Those that a table has."""
    return [column for column in columns if wide or not column.wide]


def cells(items: Sequence[Mapping[str, Any]], column: Column, wide: bool) -> list[str]:
    """What a column shows of each item."""
    values = [dig(item, column.path) for item in items]
    if column.kind is Cell.ID and not wide:
        return shortened([str(value or "-") for value in values])
    show = _SHOW.get(column.kind, plain)
    if column.kind is Cell.IMAGE and wide:
        show = plain
    return [printable(show(value)) for value in values]


def lines(rows: Sequence[Sequence[str]], columns: Sequence[Column], width: int | None) -> list[str]:
    """Rows as lines, their columns below each other.

    With a width none is longer than that, except for a column that spills.
    """
    from rich.cells import cell_len, set_cell_size

    widths = [max(map(cell_len, texts)) for texts in zip(*rows, strict=True)]
    if width is not None:
        widths = _fitting(widths, columns, width)
    found = []
    for row in rows:
        parts = [
            set_cell_size(_cut(text, size, column), size)
            for text, size, column in zip(row, widths, columns, strict=True)
        ]
        found.append(GAP.join(parts).rstrip())
    return found


def terminal_width() -> int | None:
    """How many columns the terminal has; None where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def bold(text: str) -> str:
    """The text as terminals emphasise it, unless nobody wants that.

    https://no-color.org
    """
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\x1b[1m{text}\x1b[0m" if wanted and os.environ.get("TERM") != "dumb" else text


def dig(item: Any, path: str) -> Any:
    """The value at a path."""
    for name in path.split("."):
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


def plain(value: Any) -> str:
    """A value as people read it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "-"
    return str(value)


def printable(text: str) -> str:
    """Without what could move a terminal's cursor: senders choose names and tags."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def shortened(ids: Sequence[str]) -> list[str]:
    """The beginnings of ids that tell them apart, as git has them for commits."""
    known = set(ids)
    size = SHORTEST_ID
    while size < 36 and len({id_[:size] for id_ in known}) < len(known):
        size += 1
    return [id_[:size] for id_ in ids]


def age(value: Any, now: datetime | None = None) -> str:
    """How long ago a time was: ``42s``, ``5m``, ``3h``, ``12d``."""
    if not isinstance(value, str):
        return "-"
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(value)).total_seconds()
    seconds, sign = int(abs(passed)), "in " if passed < -1 else ""
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{sign}{seconds // size}{unit}"
    return f"{sign}{seconds}s"


def short_image(value: Any) -> str:
    """An image without what goes without saying: Docker Hub, and the digest beside a tag."""
    text = plain(value).removeprefix("docker.io/").removeprefix("library/")
    name, at, digest = text.partition("@")
    tagged = ":" in name.rpartition("/")[2]
    return name if tagged or not at else f"{name}@{digest[:19]}"


_SHOW: Mapping[Cell, Callable[[Any], str]] = {
    Cell.AGE: age,
    Cell.IMAGE: short_image,
    Cell.COUNT: lambda value: str(len(value or ())),
}


def _fitting(widths: Sequence[int], columns: Sequence[Column], width: int) -> list[int]:
    """Widths that fit: the widest of those that may shrink gives first."""
    found = list(widths)
    told = [
        MIN_WIDTH if column.spills else size for size, column in zip(found, columns, strict=True)
    ]
    over = sum(told) + len(GAP) * (len(found) - 1) - width
    while over > 0:
        places = [n for n, column in enumerate(columns) if column.shrinks and found[n] > MIN_WIDTH]
        if not places:
            break
        found[max(places, key=lambda n: found[n])] -= 1
        over -= 1
    return found


def _cut(text: str, size: int, column: Column) -> str:
    """A text that fits; of an image the end counts, which is the tag."""
    from rich.cells import cell_len

    if cell_len(text) <= size:
        return text
    if column.kind is Cell.IMAGE:
        while cell_len(text) > size - 1:
            text = text[1:]
        return f"…{text}"
    while cell_len(text) > size - 1:
        text = text[:-1]
    return f"{text}…"
