"""``webhook-service audit``: who changed what, and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import (
    Limit,
    Marker,
    OfReceiver,
    Output,
    OutputOption,
    Project,
    Watch,
)
from webhook_service.cli.output import print_list
from webhook_service.cli.tables import Cell, Column
from webhook_service.cli.times import read_moment

app = typer.Typer(help="Look at who changed what, and from where.", no_args_is_help=True)

COLUMNS = (
    Column("AGE", "at", Cell.AGE),
    Column("AT", "at", wide=True),
    Column("ACTOR", "actor", shrinks=True),
    Column("VIA", "via"),
    Column("ADDRESS", "address", wide=True),
    Column("ACTION", "action"),
    Column("SUBJECT", "subject", Cell.ID),
    Column("FIELDS", "fields", shrinks=True),
)


@app.command("list")
def list_entries(
    project: Project = None,
    receiver: OfReceiver = None,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this person or token did.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(metavar="ACTION", help="Only this action, such as receiver.updated."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="AGE|TIME", help="Only since: 2h, 3d, …."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="AGE|TIME", help="Only before."),
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what was done in the project, newest first.

    The table names the fields that changed; with --output json they come with their values.
    """
    from webhook_service.cli.pages import get_page
    from webhook_service.resources import AuditEntryResource

    def load() -> dict[str, Any]:
        page = get_page(
            opened.client,
            AuditEntryResource,
            "audit",
            limit,
            marker,
            receiver=receiver,
            actor=actor,
            action=action,
            since=None if since is None else since.isoformat(),
            until=None if until is None else until.isoformat(),
        )
        if output in (Output.TABLE, Output.WIDE):
            for item in page["data"]:
                item["fields"] = ", ".join(change["field"] for change in item["changes"])
        return page

    with connect(project) as opened:
        print_list(output, COLUMNS, load, watch)
