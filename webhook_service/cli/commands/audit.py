"""``webhook-service audit``: who changed what, and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from webhook_service.cli.options import Limit, Marker, Output, OutputOption, Project, given
from webhook_service.cli.output import print_page
from webhook_service.cli.session import session
from webhook_service.cli.times import read_moment

app = typer.Typer(help="Look at who changed what, and from where.", no_args_is_help=True)

COLUMNS = {
    "AT": "at",
    "ACTOR": "actor",
    "VIA": "via",
    "ADDRESS": "address",
    "ACTION": "action",
    "SUBJECT": "subject",
    "FIELDS": "fields",
}


@app.command("list")
def list_entries(
    project: Project,
    receiver: Annotated[
        str | None, typer.Option(help="Only what is about this receiver (id or name).")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this person or token did.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action, such as receiver.updated.")
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
    output: OutputOption = Output.TABLE,
) -> None:
    """List what was done in the project, newest first.

    The table names the fields that changed; with --output json they come with their values.
    """
    from webhook_service.host.http.wire import audit_json, page_json
    from webhook_service.model.as_json import time_to_json
    from webhook_service.model.pages import PageRequest

    with session() as opened:
        filters = given(
            receiver=None if receiver is None else opened.receiver_id(project, receiver),
            actor=actor,
            action=action,
            since=time_to_json(since),
            until=time_to_json(until),
        )
        page = opened.service.list_audit(project, PageRequest(limit, marker, filters))
        links = opened.links(project)
        items = [audit_json(entry, links) for entry in page.items]
        found = page_json(links, "/v1-webhooks/audit", "auditEntry", items, page, filters)
    if output is Output.TABLE:
        for item in items:
            item["fields"] = ", ".join(change["field"] for change in item["changes"])
    print_page(output, found, COLUMNS)
