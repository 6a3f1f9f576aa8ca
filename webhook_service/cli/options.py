"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from webhook_service.cli.completion import formats, inboxes, receivers, schemes
from webhook_service.cli.json_input import read_name_or_object


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def _inherit(ctx: typer.Context, value: Output) -> Output:
    """What the command was given, else what ``webhook-service --output`` was given."""
    source = ctx.get_parameter_source("output")
    default: Output | None = ctx.find_root().params.get("output")
    return default if default and source and source.name == "DEFAULT" else value


GlobalOutput = Annotated[
    Output | None, typer.Option("--output", "-o", help="The default --output of every command.")
]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", callback=_inherit, help="How to print the result.")
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        envvar="WEBHOOK_SERVICE_PROJECT",
        metavar="PROJECT",
        help="The project (tenant) id; with a server, that of the token.",
    ),
]
Watch = Annotated[
    bool, typer.Option("--watch", "-w", help="Go on, and print what changes; Ctrl-C ends it.")
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="ADDRESS:PORT",
        help="address:port to serve on; overrides WEBHOOK_SERVICE_LISTEN.",
    ),
]
Limit = Annotated[
    int, typer.Option("--limit", min=1, max=1000, metavar="NUMBER", help="At most this many.")
]
Marker = Annotated[
    str | None,
    typer.Option(
        "--marker",
        metavar="MARKER",
        help="Show the page after the one that ended with this marker.",
    ),
]

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Your name for the history; default: your login name. A server goes by your token.",
    ),
]
Receiver = Annotated[
    str,
    typer.Argument(
        metavar="RECEIVER",
        help="The receiver's name, or its id or the beginning of that.",
        autocompletion=receivers,
    ),
]
OfReceiver = Annotated[
    str | None,
    typer.Option(
        "--receiver",
        metavar="RECEIVER",
        help="Only those of this receiver, by name or id.",
        autocompletion=receivers,
    ),
]


Inbox = Annotated[
    str,
    typer.Argument(
        metavar="INBOX",
        help="The inbox's name, or its id or the beginning of that.",
        autocompletion=inboxes,
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="A name, unique in the project.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="The format of the calls; see 'format list'.",
        autocompletion=formats,
    ),
]
Verify = Annotated[
    Any,
    typer.Option(
        "--verify",
        parser=read_name_or_object,
        metavar="SCHEME|JSON|@FILE|-",
        help="How calls are proven genuine; with 'none' only the URL is secret.",
        autocompletion=schemes,
    ),
]
CallFile = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="The body of a call; - is stdin.")
]
CallHeaders = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME:VALUE|@FILE", help="A header; repeatable."),
]
Overlap = Annotated[
    float, typer.Option(min=0, max=720, metavar="HOURS", help="How long the old URL still works.")
]


def given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}
