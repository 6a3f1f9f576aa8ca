"""``webhook-service receiver history`` and ``webhook-service rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import By, Output, OutputOption, Project, Receiver
from webhook_service.cli.output import ID, print_page, print_record
from webhook_service.cli.tables import Cell, Column, printable

COLUMNS = (
    ID,
    Column("IMAGE", "image", Cell.IMAGE, shrinks=True),
    Column("STATE", "state"),
    Column("AGE", "changed", Cell.AGE),
    Column("BY", "by", shrinks=True),
    Column("LIVE", "live"),
    Column("HELD", "held"),
    Column("TARGET", "standing"),
    Column("CHANGED", "changed", wide=True),
    Column("NOTE", "note", wide=True),
)


def history(
    receiver: Receiver, project: Project = None, output: OutputOption = Output.TABLE
) -> None:
    """List what a receiver has deployed, and look what runs. The newest is first.

    You can roll back to each entry.
    """
    from webhook_service.resources import CollectionResource, RevisionResource

    with connect(project) as opened:
        path = ("receivers", opened.receiver_id(receiver), "history")
        page = opened.client.get(CollectionResource[RevisionResource], *path).as_json()
    print_page(output, page, COLUMNS)
    if output is Output.TABLE:
        for note in dict.fromkeys(item["note"] for item in page["data"] if item["note"]):
            typer.echo(printable(note))


def rollback(
    receiver: Receiver,
    project: Project = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ID|IMAGE",
            help="An entry of its history; default: the last good one.",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(metavar="REPOSITORY", help="The image, if the receiver deploys several."),
    ] = None,
    by: By = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deploy again the last good image before what runs.

    It counts as the newest push.

    A freeze window does not stop it.
    """
    with connect(project, by) as opened:
        id_ = opened.receiver_id(receiver)
        if to is not None and to.startswith("exe_"):
            to = opened.whole_id("executions", "execution", to)
        made = opened.client.receivers.roll_back(id_, to=to, repository=repository)
        print_record(output, made.as_json())
