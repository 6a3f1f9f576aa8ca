"""``webhook-service project``: who shares the service, and what holds a project."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import ID, print_document, print_page, print_record
from webhook_service.cli.tables import Cell, Column

app = typer.Typer(help="Look at projects, and hold them.", no_args_is_help=True)

COLUMNS = (
    Column("ID", "id", shrinks=True),
    Column("RECEIVERS", "receivers"),
    Column("TOKENS", "tokens"),
    Column("OPEN EXECUTIONS", "openExecutions"),
)

HOLD_COLUMNS = (
    ID,
    Column("NAME", "name", shrinks=True),
    Column("WHY", "why", shrinks=True),
    Column("BY", "by"),
    Column("AGE", "created", Cell.AGE),
)


@app.callback()
def root() -> None:
    """Look at projects, and hold them."""


@app.command("list")
def list_projects(output: OutputOption = Output.TABLE) -> None:
    """List the projects that have something. With a server, that is the token's own."""
    from webhook_service.host.http.links import Links
    from webhook_service.host.wire import project_json

    with connect(any_project=True) as opened:
        if opened.service is None:
            items = [opened.client.project().as_json()]
        else:
            projects = opened.service.list_projects()
            items = [project_json(each, Links("", each.id)) for each in projects]
    print_page(output, {"type": "collection", "resourceType": "project", "data": items}, COLUMNS)


@app.command()
def hold(
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="Why nothing is to be deployed; people see it.")
    ],
    project: Project = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Names the hold; unique in the project.")
    ] = "hold",
    output: OutputOption = Output.TABLE,
) -> None:
    """Let nothing of a project begin until 'release'.

    Pushes are accepted and wait; a rollout that is under way goes on to its end.
    """
    with connect(project) as opened:
        print_record(output, opened.client.holds.create(why, name=name).as_json())


@app.command()
def release(
    name: Annotated[
        str, typer.Argument(metavar="NAME|ID", help="The hold, by name or id.")
    ] = "hold",
    project: Project = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a hold. After the last one the newest push of each target runs."""
    with connect(project) as opened:
        found = [each for each in opened.client.holds.list() if name in (each.name, each.id)]
        if not found:
            raise typer.BadParameter(f"the project is not held as {name!r}.", param_hint="NAME|ID")
        opened.client.holds.release(found[0].id)
    if not print_document(output, {"id": found[0].id, "state": "released"}):
        typer.echo(f"{found[0].name} is released.")


@app.command()
def holds(project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """List what holds a project, and who said why."""
    with connect(project) as opened:
        items = [each.as_json() for each in opened.client.holds.list()]
    print_page(output, {"type": "collection", "resourceType": "hold", "data": items}, HOLD_COLUMNS)
