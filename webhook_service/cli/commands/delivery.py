"""``webhook-service delivery``: the calls that came in, and what was decided on each."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.options import Limit, Marker, Output, OutputOption, Project, given
from webhook_service.cli.output import print_page, print_record
from webhook_service.cli.session import session

app = typer.Typer(help="Look at the calls that came in.", no_args_is_help=True)

COLUMNS = {
    "ID": "id",
    "STATE": "state",
    "REASON": "reason",
    "RECEIVED": "received",
    "RECEIVER": "receiver",
    "EXECUTIONS": "executions",
}


@app.command("list")
def list_deliveries(
    project: Project,
    receiver: Annotated[
        str | None, typer.Option(help="Only the deliveries of this receiver.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only this state: accepted, ignored, duplicate or refused.")
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's deliveries, newest first."""
    from webhook_service.host.http.wire import delivery_json, page_json
    from webhook_service.model.pages import PageRequest

    filters = given(receiver=receiver, state=state)
    with session() as opened:
        page = opened.service.list_deliveries(project, PageRequest(limit, marker, filters))
        links = opened.links(project)
        items = [delivery_json(item, links) for item in page.items]
        found = page_json(links, "/v1-webhooks/deliveries", "delivery", items, page, filters)
    print_page(output, found, COLUMNS)


@app.command()
def show(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id, dlv_….")],
    project: Project,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a call reported, and the decision on it."""
    from webhook_service.host.http.wire import delivery_json

    with session() as opened:
        found = opened.service.get_delivery(project, delivery)
        print_record(output, delivery_json(found, opened.links(project)))
