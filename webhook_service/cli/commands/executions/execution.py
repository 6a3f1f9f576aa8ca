"""``webhook-service execution``: what drivers did with pushes, or are doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.completion import executions
from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import (
    By,
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

if TYPE_CHECKING:
    from webhook_service.client.synchronous.executions import ExecutionRequests
    from webhook_service.resources import ExecutionResource

app = typer.Typer(
    help="Look at executions; replay, cancel or approve them.",
    no_args_is_help=True,
)

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The execution's id, exe_…, or its beginning.", autocompletion=executions
    ),
]

COLUMNS = (
    ID,
    Column("STATE", "state"),
    Column("RECEIVER", "receiverName", shrinks=True),
    Column("DRIVER", "driver", wide=True),
    Column("IMAGE", "event.image", Cell.IMAGE, shrinks=True),
    Column("AGE", "created", Cell.AGE),
    Column("REASON", "reason", wide=True),
    Column("MESSAGE", "message", wide=True),
)
UNTIL = Column("UNTIL", "approval.until", Cell.AGE)


@app.command("list")
def list_executions(
    project: Project = None,
    receiver: OfReceiver = None,
    delivery: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those of this delivery.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only those in this state: running, failed, …."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="Only those with this reason.")
    ] = None,
    driver: Annotated[
        str | None, typer.Option(metavar="DRIVER", help="Only those of this driver.")
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Only pushes of this repository, or of this tag of it."),
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's executions, newest first."""
    filters = {
        "receiver": receiver,
        "delivery": delivery,
        "state": state,
        "reason": reason,
        "driver": driver,
        "image": image,
    }
    _list(project, filters, limit, marker, watch, output)


@app.command()
def held(
    project: Project = None,
    limit: Limit = 100,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the executions that wait for approval, newest first."""
    filters: dict[str, str | None] = {"state": "held", "reason": "approval"}
    _list(project, filters, limit, None, watch, output, UNTIL)


@app.command()
def show(execution: Id, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Show an execution with its attempts and changes."""
    with connect(project) as opened:
        id_ = opened.whole_id("executions", "execution", execution)
        print_record(output, opened.client.executions.get(id_).as_json())


@app.command()
def cancel(
    execution: Id,
    project: Project = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also one that has begun; what it has changed stays."),
    ] = False,
    by: By = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """End an execution that has not changed anything. See abort for all others."""
    _ask(execution, project, by, output, lambda requests, id_: requests.cancel(id_, force=force))


@app.command()
def abort(
    execution: Id, project: Project = None, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Stop an execution at any stage. What ran before is deployed again at once."""
    _ask(execution, project, by, output, lambda requests, id_: requests.abort(id_))


@app.command()
def approve(
    execution: Id, project: Project = None, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Approve an execution that waits for approval."""
    _ask(execution, project, by, output, lambda requests, id_: requests.approve(id_))


@app.command()
def refuse(
    execution: Id, project: Project = None, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Refuse an execution that waits for approval; this ends it."""
    _ask(execution, project, by, output, lambda requests, id_: requests.refuse(id_))


@app.command()
def release(
    execution: Id, project: Project = None, by: By = None, output: OutputOption = Output.TABLE
) -> None:
    """Let an execution run now that a rule holds.

    The rule is the age of its image, another receiver, or a freeze.
    """
    _ask(execution, project, by, output, lambda requests, id_: requests.release(id_))


def _ask(
    execution: str,
    project: str | None,
    by: str | None,
    output: Output,
    what: Callable[[ExecutionRequests, str], ExecutionResource],
) -> None:
    """Ask for something to be done with an execution, and print how it is then."""
    with connect(project, by) as opened:
        id_ = opened.whole_id("executions", "execution", execution)
        print_record(output, what(opened.client.executions, id_).as_json())


def _list(
    project: str | None,
    filters: dict[str, str | None],
    limit: int,
    marker: str | None,
    watch: bool,
    output: Output,
    *more: Column,
) -> None:
    from webhook_service.cli.pages import add_names, get_page
    from webhook_service.resources import ExecutionResource

    def load() -> dict[str, Any]:
        page = get_page(opened.client, ExecutionResource, "executions", limit, marker, **filters)
        if output in (Output.TABLE, Output.WIDE):
            add_names(opened, page)
        return page

    with connect(project) as opened:
        if filters.get("delivery"):
            filters["delivery"] = opened.whole_id(
                "deliveries", "delivery", str(filters["delivery"])
            )
        print_list(output, (*COLUMNS, *more), load, watch)
