"""``webhook-service inbox``: one URL for many receivers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.json_input import composed, read_body, read_headers, read_object_file
from webhook_service.cli.options import (
    CallFile,
    CallHeaders,
    Format,
    Inbox,
    Limit,
    Marker,
    Name,
    Output,
    OutputOption,
    Overlap,
    Project,
    Verify,
    Watch,
    given,
)
from webhook_service.cli.output import print_document, print_list, print_record
from webhook_service.cli.prompts import ask_for_options
from webhook_service.cli.tables import Cell, Column

app = typer.Typer(
    help="Create and change inboxes: one URL for many receivers.", no_args_is_help=True
)

COLUMNS = (
    Column("ID", "id", Cell.ID, wide=True),
    Column("NAME", "name", shrinks=True),
    Column("FORMAT", "source.format"),
    Column("VERIFY", "verify.scheme", shrinks=True),
    Column("RECEIVERS", "listening", shrinks=True),
    Column("AGE", "created", Cell.AGE),
    Column("PROBLEM", "problem", wide=True),
    Column("URL", "url", wide=True),
)

Body = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--file",
        "-f",
        parser=read_object_file,
        metavar="PATH|-",
        help="The whole inbox as JSON; other options win over it.",
    ),
]


@app.command()
def create(
    project: Project = None,
    name: Name = None,
    body: Body = None,
    format: Format = None,
    verify: Verify = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create an inbox and print its URL.

    Receivers listen to it by its name: see 'receiver create --inbox'. At a terminal it asks for
    missing options of --verify.
    """
    with connect(project) as opened:
        asked = ask_for_options(verify, opened.client.plugins.schemes)
        whole = composed({}, body or {}, {**given(name=name), **_parts(format, asked)})
        print_record(output, opened.client.inboxes.create(whole).as_json())


@app.command("list")
def list_inboxes(
    project: Project = None,
    name: Name = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's inboxes, newest first. Each has the receivers that listen."""
    from webhook_service.cli.pages import get_page
    from webhook_service.resources import InboxResource

    def load() -> dict[str, Any]:
        page = get_page(opened.client, InboxResource, "inboxes", limit, marker, name=name)
        if output in (Output.TABLE, Output.WIDE):
            for item in page["data"]:
                item["listening"] = [each["name"] for each in item["receivers"]]
        return page

    with connect(project) as opened:
        print_list(output, COLUMNS, load, watch)


@app.command()
def show(inbox: Inbox, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Show an inbox with its URL and those who listen to it."""
    with connect(project) as opened:
        print_record(output, opened.client.inboxes.get(opened.inbox_id(inbox)).as_json())


@app.command()
def update(
    inbox: Inbox,
    project: Project = None,
    body: Body = None,
    format: Format = None,
    verify: Verify = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change how the calls are read or verified.

    Its name and its URL stay. A change that one of its receivers could not work with is refused.
    """
    with connect(project) as opened:
        id_ = opened.inbox_id(inbox)
        old = opened.client.inboxes.get(id_).as_json()
        changed = opened.client.inboxes.update(
            id_, composed(old, body or {}, _parts(format, verify))
        )
        print_record(output, changed.as_json())


@app.command()
def delete(inbox: Inbox, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Delete an inbox to which nobody listens.

    Its URL stops working at once. Its history stays.
    """
    with connect(project) as opened:
        id_ = opened.inbox_id(inbox)
        opened.client.inboxes.delete(id_)
    if not print_document(output, {"id": id_, "state": "deleted"}):
        typer.echo(f"{inbox} is deleted.")


@app.command()
def rotate(
    inbox: Inbox,
    project: Project = None,
    overlap: Overlap = 24,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give an inbox a new URL."""
    with connect(project) as opened:
        id_ = opened.inbox_id(inbox)
        found = opened.client.inboxes.rotate(id_, overlap_seconds=overlap * 3600)
        print_record(output, found.as_json())


@app.command()
def simulate(
    inbox: Inbox,
    file: CallFile,
    project: Project = None,
    headers: CallHeaders = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which receivers would do what on a call now. Nothing is changed."""
    body, sent = read_body(file), read_headers(headers)
    with connect(project) as opened:
        id_ = opened.inbox_id(inbox)
        print_record(output, opened.client.inboxes.simulate(id_, body, sent).as_json())


def _parts(format: str | None, verify: str | Mapping[str, Any] | None) -> dict[str, Any]:
    return given(
        source={"format": format} if format else None,
        verify={"scheme": verify} if isinstance(verify, str) else verify,
    )
