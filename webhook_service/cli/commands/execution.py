"""``webhook-service execution``: what drivers did with pushes, or are doing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.options import By, Limit, Marker, Output, OutputOption, Project, given
from webhook_service.cli.output import print_page, print_record
from webhook_service.cli.people import person
from webhook_service.cli.session import Session, session
from webhook_service.cli.times import read_moment

if TYPE_CHECKING:
    from webhook_service.model.execution import ExecutionState

app = typer.Typer(
    help="Look at executions; replay, cancel, approve or refuse them.", no_args_is_help=True
)

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
    receiver: Annotated[str | None, typer.Option(help="Only those of this receiver.")] = None,
    delivery: Annotated[str | None, typer.Option(help="Only those of this delivery.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Limit = 100,
    marker: Marker = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's executions, newest first."""
    from webhook_service.host.http.wire import execution_json, page_json
    from webhook_service.model.pages import PageRequest

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
    from webhook_service.host.http.wire import execution_json

    with session() as opened:
        found = opened.service.get_execution(project, execution)
        print_record(output, execution_json(found, opened.links(project), attempts=True))


@app.command()
def held(project: Project, limit: Limit = 100, output: OutputOption = Output.TABLE) -> None:
    """List the executions that wait for approval, newest first."""
    from webhook_service.host.http.wire import execution_json, page_json
    from webhook_service.model.pages import PageRequest

    filters = {"state": "held", "reason": "approval"}
    with session() as opened:
        page = opened.service.list_executions(project, PageRequest(limit, None, filters))
        links = opened.links(project)
        items = [execution_json(item, links, attempts=False) for item in page.items]
        found = page_json(links, "/v1-webhooks/executions", "execution", items, page, filters)
    print_page(output, found, {**COLUMNS, "UNTIL": "approval.until"})


@app.command()
def replay(
    project: Project,
    execution: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="One execution; without it: all that fit the options."),
    ] = None,
    state: Annotated[str | None, typer.Option(help="All in this state, such as failed.")] = None,
    receiver: Annotated[
        str | None, typer.Option(help="Only those of this receiver (id or name).")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=read_moment, metavar="AGE|TIME", help="Only those that ended since: 2h, 3d, …."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="AGE|TIME", help="Only those that ended before."),
    ] = None,
    limit: Limit = 1000,
    as_of: Annotated[
        bool,
        typer.Option("--as-of", help="Keep their old place in the order: newer pushes still win."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them, and replay nothing.")
    ] = False,
    by: By = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the events of ended executions again.

    Give the ID of one execution, or choose many with --state and other options.
    """
    from webhook_service.host.http.wire import execution_json, replayed_json
    from webhook_service.model.execution import ExecutionState
    from webhook_service.model.replays import ReplayFilter

    filters = given(state=state, receiver=receiver, reason=reason, since=since, until=until)
    if (execution is None) == (not filters) or (execution is not None and dry_run):
        raise typer.BadParameter("give either the ID of one execution, or --state for many")
    with session() as opened:
        people = opened.service.interventions
        if execution is not None:
            made = people.replay(project, execution, as_of=as_of, by=person(by))
            print_record(output, execution_json(made, opened.links(project), attempts=True))
            return
        if receiver is not None:
            filters["receiver"] = opened.receiver_id(project, receiver)
        filters["state"] = _read_state(state or ExecutionState.FAILED)
        wanted = ReplayFilter(**filters, limit=limit)
        found = people.replay_all(project, wanted, as_of=as_of, dry_run=dry_run, by=person(by))
        print_record(output, replayed_json(found, dry_run))


@app.command()
def cancel(execution: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """End an execution early; what it has already changed stays."""
    with session() as opened:
        opened.service.interventions.cancel(project, execution, by=person())
        _print(opened, project, execution, output)


@app.command()
def approve(
    execution: Id, project: Project, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Approve an execution that waits for approval."""
    with session() as opened:
        opened.service.interventions.approve(project, execution, person(by))
        _print(opened, project, execution, output)


@app.command()
def refuse(
    execution: Id, project: Project, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Refuse an execution that waits for approval; this ends it."""
    with session() as opened:
        opened.service.interventions.refuse(project, execution, person(by))
        _print(opened, project, execution, output)


def _print(opened: Session, project: str, execution: str, output: Output) -> None:
    from webhook_service.host.http.wire import execution_json

    found = opened.service.get_execution(project, execution)
    print_record(output, execution_json(found, opened.links(project), attempts=True))


def _read_state(text: str) -> ExecutionState:
    from webhook_service.model.execution import ENDED, ExecutionState

    if text not in ENDED:
        raise typer.BadParameter(f"--state is one of {', '.join(ENDED)}")
    return ExecutionState(text)
