"""The tables of docs/formats.md, made from the code.

``python -m tests.docs.tables`` writes them into the page, between its markers.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from webhook_service.formats.format import Format
from webhook_service.plugins.discovery import FORMATS, SCHEMES, Plugins, discover
from webhook_service.schemes.scheme import Scheme

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
HOW = "run `python -m tests.docs.tables`"
NONE = "none"


def formats() -> Plugins[Format[Any]]:
    """The formats of this distribution, whatever else is installed."""
    return _own(FORMATS, discover(FORMATS, "format", Format), Format)


def schemes() -> Plugins[Scheme[Any]]:
    return _own(SCHEMES, discover(SCHEMES, "scheme", Scheme), Scheme)


def senders_table() -> str:
    """Who sends what, and how its calls are proven genuine."""
    rows = []
    for name, target in formats().targets.items():
        sender = target.sender
        title = f"[{sender.name}]({sender.page})" if sender.page else sender.name
        proofs = ", ".join(map(_code, sender.verification)) or "that of its senders"
        rows.append((_code(name), title, proofs, sender.identity, sender.gaps))
    return _table(("format", "sender", "schemes that fit", "what duplicates share", "gaps"), rows)


def fields_table() -> str:
    """What is read of a call."""
    rows = [
        (
            _code(name),
            ", ".join(map(_name, target.sender.fields)),
            target.sender.time or NONE,
            target.sender.digest or NONE,
        )
        for name, target in formats().targets.items()
    ]
    return _table(("format", "fields read", "sender's time", "digest"), rows)


def schemes_table() -> str:
    rows = [
        (
            _code(name),
            ", ".join(map(_name, target.proof.headers)) or NONE,
            target.proof.algorithm,
            ", ".join(map(_code, _options(target))) or NONE,
            target.proof.replay,
        )
        for name, target in schemes().targets.items()
    ]
    return _table(("scheme", "headers", "what is checked", "options", "a call sent again"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "senders": senders_table,
    "fields": fields_table,
    "schemes": schemes_table,
}


def with_tables(page: str) -> str:
    """The page with its tables as the code says now."""
    for name, table in TABLES.items():
        found = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
        if not (match := found.search(page)):
            raise ValueError(f"{PAGE.name} has no place for the table {name}.")
        page = f"{page[: match.end(1)]}{table()}{page[match.start(2) :]}"
    return page


def _own(group: str, found: Plugins[Any], base: type[Any]) -> Plugins[Any]:
    own: Plugins[Any] = Plugins(group, found.group, base)
    for item in found:
        if item.distribution == "webhook-service" and item.target is not None:
            own.add(item.name, item.target)
    return own


def _options(target: type[Scheme[Any]]) -> list[str]:
    fields = target.Options.model_fields
    return [field.alias or name for name, field in fields.items()]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`"


def _name(text: str) -> str:
    """A field's or header's name as code; more than a name is marked up where it is written."""
    return text if " " in text else _code(text)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
