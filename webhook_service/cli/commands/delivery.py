"""``webhook-service delivery``: the calls that came in, and what was decided on each."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from webhook_service.cli.completion import inboxes
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
from webhook_service.cli.output import ID, print_list, print_record
from webhook_service.cli.tables import Cell, Column

app = typer.Typer(help="Look at the calls that came in.", no_args_is_help=True)

COLUMNS = (
    ID,
    Column("STATE", "state"),
    Column("REASON", "reason", shrinks=True),
    Column("CALLED", "called", shrinks=True),
    Column("WORK", "executions", Cell.COUNT),
    Column("EXECUTIONS", "executions", wide=True),
    Column("AGE", "received", Cell.AGE),
)


@app.command("list")
def list_deliveries(
    project: Project = None,
    receiver: OfReceiver = None,
    inbox: Annotated[
        str | None,
        typer.Option(
            metavar="INBOX",
            help="Only the calls on this inbox, by name or id.",
            autocompletion=inboxes,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="STATE", help="Only this state: accepted, ignored, duplicate or refused."
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="Only those with this reason.")
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's deliveries, newest first."""
    from webhook_service.cli.pages import add_called, get_page
    from webhook_service.resources import DeliveryResource

    def load() -> dict[str, Any]:
        page = get_page(
            opened.client,
            DeliveryResource,
            "deliveries",
            limit,
            marker,
            receiver=receiver,
            inbox=None if inbox is None else opened.inbox_id(inbox),
            state=state,
            reason=reason,
        )
        if output in (Output.TABLE, Output.WIDE):
            add_called(opened, page)
        return page

    with connect(project) as opened:
        print_list(output, COLUMNS, load, watch)


@app.command()
def show(
    delivery: Annotated[
        str, typer.Argument(metavar="ID", help="The delivery's id, dlv_…, or its beginning.")
    ],
    project: Project = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a call reported, and the decision on it."""
    with connect(project) as opened:
        id_ = opened.whole_id("deliveries", "delivery", delivery)
        print_record(output, opened.client.deliveries.get(id_).as_json())
