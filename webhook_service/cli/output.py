"""Printing: a document for programs, or tables for people, which on a pipe are plain text."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import typer

from webhook_service.cli.options import Output
from webhook_service.cli.tables import (
    Cell,
    Column,
    bold,
    cells,
    columns_of,
    lines,
    plain,
    printable,
    terminal_width,
)

WATCH_SECONDS = 2.0
# In a table these only repeat what is said elsewhere.
_NOISE = frozenset({"type", "links", "actions"})
# People copy these: each stands on a line of its own, whole.
_COPIED = ("url", "token")
Json = Mapping[str, Any]


def print_json(value: Any) -> None:
    """One document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_document(output: Output, value: Any) -> bool:
    """Print it for programs, if that is asked for."""
    if output is Output.JSON:
        print_json(value)
    elif output is Output.YAML:
        import yaml

        typer.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)
    else:
        return False
    return True


def print_record(output: Output, record: Json) -> None:
    """One object: its fields below each other, and at the end what people copy."""
    if print_document(output, record):
        return
    if output is Output.NAME and record.get("id"):
        typer.echo(record["id"])
        return
    fields = {
        name: value
        for name, value in record.items()
        if name not in _NOISE and name not in _COPIED and value != {}
    }
    margin = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        _print_field(name, value, margin)
    for name in _COPIED:
        if record.get(name):
            typer.echo(f"\n{name}:\n{printable(str(record[name]))}")


def print_list(
    output: Output, columns: Sequence[Column], load: Callable[[], Json], watch: bool = False
) -> None:
    """A collection; with ``watch`` also what changes in it, until somebody ends the command.

    Args:
        load: gets the collection.
    """
    page = load()
    shown = _print_items(output, columns, page, page["data"])
    if (marker := _next_marker(page)) and not watch:
        typer.echo(f"There are more: --marker {marker}", err=True)
    while watch:
        time.sleep(WATCH_SECONDS)
        found = load()["data"]
        changed = [item for item in reversed(found) if shown.get(_key(item)) != _seen(item)]
        shown.update(_print_items(output, columns, {"data": changed}, changed, again=True))


def print_page(output: Output, page: Json, columns: Sequence[Column]) -> None:
    """A collection that is there already."""
    print_list(output, columns, lambda: page)


def _print_items(
    output: Output,
    columns: Sequence[Column],
    page: Json,
    items: Sequence[Json],
    again: bool = False,
) -> dict[str, Any]:
    """Print a collection, or what changed in it; what was shown, by id."""
    if again and output in (Output.JSON, Output.YAML):
        for item in items:
            typer.echo(json.dumps(item, ensure_ascii=False))
    elif output is Output.NAME:
        for item in items:
            typer.echo(_key(item))
    elif not print_document(output, page):
        _print_table(columns, items, wide=output is Output.WIDE, headings=not again)
    return {_key(item): _seen(item) for item in items}


def _print_table(
    columns: Sequence[Column], items: Sequence[Json], *, wide: bool, headings: bool
) -> None:
    columns = columns_of(columns, wide)
    texts = [cells(items, column, wide) for column in columns]
    rows = [[column.heading for column in columns], *map(list, zip(*texts, strict=True))]
    found = lines(rows, columns, None if wide else terminal_width())
    if headings:
        typer.echo(bold(found[0]))
    for line in found[1:]:
        typer.echo(line)


def _print_field(name: str, value: Any, margin: int) -> None:
    width = terminal_width()
    for number, line in enumerate(_lines(value)):
        head = ("" if number else name).ljust(margin)
        folded = [line]
        if width is not None and margin + len(line) > width > margin + 20:
            # A word that does not fit stays whole: it is an id, an image or a URL.
            folded = textwrap.wrap(
                line, width - margin, break_long_words=False, break_on_hyphens=False
            )
        for place, part in enumerate(folded):
            typer.echo(f"{head if place == 0 else ' ' * margin}{part}".rstrip())


def _lines(value: Any) -> Iterator[str]:
    """Lists take a line for each item, and what is nested is compact JSON."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        for item in value:
            yield from _lines(item)
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        yield json.dumps(value, ensure_ascii=False) if value else "-"
    else:
        yield printable(plain(value))


def _key(item: Json) -> str:
    return str(item.get("id") or item.get("name"))


def _seen(item: Json) -> Any:
    return {name: value for name, value in item.items() if name not in _NOISE}


def _next_marker(page: Json) -> str | None:
    from urllib.parse import parse_qs, urlsplit

    following = (page.get("pagination") or {}).get("next")
    found = parse_qs(urlsplit(following).query).get("marker") if following else None
    return found[0] if found else None


ID = Column("ID", "id", Cell.ID)
