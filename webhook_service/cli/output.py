"""Printing: one JSON document, or tables for people, which on a pipe are plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from webhook_service.cli.options import Output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 10_000
# In a table these only repeat what is said elsewhere.
_NOISE = frozenset({"type", "links", "actions"})


def print_json(value: Any) -> None:
    """One document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_record(output: Output, record: Mapping[str, Any]) -> None:
    """One object: its fields below each other."""
    if output is Output.JSON:
        print_json(record)
        return
    table = _table()
    table.show_header = False
    for name, value in record.items():
        if name not in _NOISE and value != {}:
            _add_rows(table, name, value)
    _console().print(table)


def print_page(output: Output, page: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    """A collection.

    Args:
        columns: the path of each column in an item (``event.image``), by its heading.
    """
    if output is Output.JSON:
        print_json(page)
        return
    table = _table(*columns)
    for item in page["data"]:
        table.add_row(*(_cell(_dig(item, path)) for path in columns.values()))
    _console().print(table)
    if marker := _next_marker(page):
        typer.echo(f"There are more: --marker {marker}", err=True)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    # Scripts read the lines of a pipe: nothing may be folded there.
    return console if console.is_terminal else Console(file=console.file, width=PIPE_WIDTH)


def _table(*headings: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings or ("", ""):
        table.add_column(Text(heading), overflow="fold")
    return table


def _add_rows(table: Table, name: str, value: Any) -> None:
    for number, line in enumerate(_lines(value)):
        table.add_row(_cell("" if number else name), _cell(line))


def _lines(value: Any) -> Iterator[str]:
    """Lists take a line for each item, and what is nested is compact JSON."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        for item in value:
            yield from _lines(item)
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        yield json.dumps(value, ensure_ascii=False) if value else "-"
    else:
        yield _plain(value)


def _cell(value: Any) -> Any:
    from rich.text import Text

    return Text(value if isinstance(value, str) else _plain(value))


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "-"
    return str(value)


def _dig(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


def _next_marker(page: Mapping[str, Any]) -> str | None:
    from urllib.parse import parse_qs, urlsplit

    following = (page.get("pagination") or {}).get("next")
    found = parse_qs(urlsplit(following).query).get("marker") if following else None
    return found[0] if found else None
