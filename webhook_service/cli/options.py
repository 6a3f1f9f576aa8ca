"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


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
    str,
    typer.Option(
        "--project", "-p", envvar="WEBHOOK_SERVICE_PROJECT", help="The project (tenant) id."
    ),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", help="address:port to serve on; overrides WEBHOOK_SERVICE_LISTEN."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many.")]
Marker = Annotated[
    str | None,
    typer.Option("--marker", help="Show the page after the one that ended with this marker."),
]

By = Annotated[
    str | None, typer.Option("--by", help="Your name for the history; default: your login name.")
]


def given(**values: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None}
