"""``webhook-service execution``: what drivers did with pushes, or are doing."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.options import Limit, Marker, Output, OutputOption, Project, given
from webhook_service.cli.output import print_page, print_record
from webhook_service.cli.session import session

app = typer.Typer(help="Look at what was done with pushes, repeat or end it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The execution's id, exe_….")]

COLUMNS = {
    "ID": "id",
    "STATE": "state",
    "DRIVER": "driver",
    "IMAGE": "event.image",
    "CREATED": "created",
    "RECEIVER": "receiver",
    "MESSAGE": "message",
}


@app.command("list")
def list_executions(
    project: Project,
    receiver: Annotated[str | None, typer.Option(help="Only this receiver's.")] = None,
    delivery: Annotated[str | None, typer.Option(help="Only this delivery's.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Limit = 100,
    marker: Marker = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's executions, newest first."""
    from webhook_service.host.wire import execution_json, page_json
    from webhook_service.store.pages import PageRequest

    filters = given(receiver=receiver, delivery=delivery, state=state)
    with session() as opened:
        page = opened.service.list_executions(project, PageRequest(limit, marker, filters))
        links = opened.links(project)
        items = [execution_json(item, links, attempts=False) for item in page.items]
        found = page_json(links, "/v1-webhooks/executions", "execution", items, page, filters)
    print_page(output, found, COLUMNS)


@app.command()
def show(
    execution: Id,
    project: Project,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show an execution with its attempts and changes."""
    from webhook_service.host.wire import execution_json

    with session() as opened:
        found = opened.service.get_execution(project, execution)
        print_record(output, execution_json(found, opened.links(project), attempts=True))


@app.command()
def replay(
    execution: Id,
    project: Project,
    as_of: Annotated[
        bool, typer.Option("--as-of", help="Keep its old place: newer pushes still win.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run an ended execution's event once more, as a new execution."""
    from webhook_service.host.wire import execution_json

    with session() as opened:
        made = opened.service.replay_execution(project, execution, as_of=as_of)
        print_record(output, execution_json(made, opened.links(project), attempts=True))


@app.command()
def cancel(execution: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """End an execution that has not ended; what it has changed already stays."""
    from webhook_service.host.wire import execution_json

    with session() as opened:
        opened.service.cancel_execution(project, execution)
        found = opened.service.get_execution(project, execution)
        print_record(output, execution_json(found, opened.links(project), attempts=True))
