"""``webhook-service format``: whose calls can be read, and whose a given body is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import chosen, connect
from webhook_service.cli.json_input import read_bytes, read_headers
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_page, print_record
from webhook_service.cli.plugins import listed, show_elsewhere, show_here
from webhook_service.cli.scaffold.command import new_command
from webhook_service.cli.tables import Column

if TYPE_CHECKING:
    from webhook_service.formats.auto import Auto
    from webhook_service.formats.format import Format, Parsed
    from webhook_service.plugins.discovery import Plugin, Plugins

app = typer.Typer(help="Look at the installed payload formats.", no_args_is_help=True)
app.command("new")(new_command("format", "webhook_service.formats"))

COLUMNS = (
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("SENDER", "sender"),
    Column("DISTRIBUTION", "distribution", shrinks=True),
    Column("ERROR", "error", spills=True),
)


@app.command("list")
def list_formats(output: OutputOption = Output.TABLE) -> None:
    """List the formats; one that is not ready says why, and what to do."""
    if chosen() is None:
        items = [_as_json(plugin) for plugin in _installed()]
    else:
        with connect() as opened:
            items = [plugin.as_json() for plugin in opened.client.plugins.formats()]
    print_page(output, {"type": "collection", "resourceType": "format", "data": items}, COLUMNS)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The format's name.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show whose calls a format reads, and which schemes fit. It says where it comes from, too.

    It fails if the format cannot be used. Of a server it shows what the API says.
    """
    if chosen() is None:
        show_here(_installed(), "format", name, _described, output)
    else:
        show_elsewhere("format", name, lambda client: client.plugins.formats(), output)


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
    sender = plugin.target.sender.name if plugin.target else ""
    return {**listed(plugin), "sender": sender}


def _described(target: type[Format[Any]]) -> dict[str, Any]:
    fields = target.Options.model_fields
    return {
        "sender": target.sender.name,
        "schemes": list(target.sender.verification),
        "options": [field.alias or name for name, field in fields.items()],
    }
