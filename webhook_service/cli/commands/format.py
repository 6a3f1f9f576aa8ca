"""``webhook-service format``: whose calls can be read, and whose a given body is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.json_input import read_bytes, read_headers
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_page, print_record

if TYPE_CHECKING:
    from webhook_service.formats.auto import Auto
    from webhook_service.formats.format import Format, Parsed
    from webhook_service.plugins.discovery import Plugin, Plugins

app = typer.Typer(help="Look at the installed payload formats.", no_args_is_help=True)

COLUMNS = {
    "NAME": "name",
    "STATE": "state",
    "SENDER": "sender",
    "DISTRIBUTION": "distribution",
    "ERROR": "error",
}


@app.command("list")
def list_formats(output: OutputOption = Output.TABLE) -> None:
    """List the formats; a broken format is shown with its error."""
    items = [_as_json(plugin) for plugin in _installed()]
    print_page(output, {"type": "collection", "resourceType": "format", "data": items}, COLUMNS)


@app.command()
def detect(
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The body of a call; - is stdin.")
    ],
    headers: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME:VALUE", help="A header of the call; repeatable."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which formats fit a body, and what they read.

    It fails unless exactly one format can read the body. It cannot detect gitlab, nor a format
    whose options a receiver must give (generic).
    """
    from webhook_service.formats.auto import Auto, AutoOptions

    body, sent = read_bytes(file), read_headers(headers)
    auto = Auto().bind(AutoOptions(), _installed().targets)
    found = {name: _parsed(auto, name, body, sent) for name in auto.claimed(body, sent)}
    print_record(output, {"formats": list(found)} | _merged(found))
    if len(found) != 1 or any(isinstance(parsed, str) for parsed in found.values()):
        raise typer.Exit(1)


def _parsed(auto: Auto, name: str, body: bytes, headers: Mapping[str, str]) -> Parsed | str:
    """What a format reads, or why it refuses the call."""
    from webhook_service.errors import InvalidPayload

    try:
        return auto.parse_as(name, body, headers)
    except InvalidPayload as exc:
        return exc.message


def _merged(found: Mapping[str, Parsed | str]) -> dict[str, Any]:
    """What was read; with several formats, each under its name."""
    read = {name: _read(parsed) for name, parsed in found.items()}
    return next(iter(read.values())) if len(read) == 1 else dict(read)


def _read(parsed: Parsed | str) -> dict[str, Any]:
    if isinstance(parsed, str):
        return {"error": parsed}
    return {
        "images": [event.image for event in parsed.events],
        "ignored": [f"{item.reason}: {item.subject}" for item in parsed.dropped],
    }


def _installed() -> Plugins[Format[Any]]:
    from webhook_service.formats.format import Format
    from webhook_service.plugins.discovery import FORMATS, discover

    return discover(FORMATS, "format", Format)


def _as_json(plugin: Plugin[Format[Any]]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "state": "broken" if plugin.error else "ready",
        "sender": plugin.target.sender.name if plugin.target else "",
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error,
    }
