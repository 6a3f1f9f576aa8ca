"""``webhook-service receiver history`` and ``webhook-service rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.options import By, Output, OutputOption, Project
from webhook_service.cli.output import print_page, print_record
from webhook_service.cli.people import person
from webhook_service.cli.session import session

Receiver = Annotated[str, typer.Argument(metavar="RECEIVER", help="The receiver's id or name.")]

COLUMNS = {
    "ID": "id",
    "IMAGE": "image",
    "FINISHED": "finished",
    "BY": "by",
    "LIVE": "live",
    "HELD": "held",
}


def history(receiver: Receiver, project: Project, output: OutputOption = Output.TABLE) -> None:
    """List what a receiver has deployed, newest first.

    You can roll back to each entry.
    """
    from webhook_service.host.http.wire import collection, revision_json

    with session() as opened:
        id_ = opened.receiver_id(project, receiver)
        links = opened.links(project)
        found = opened.service.interventions.history(project, id_)
        data = [revision_json(revision, links) for revision in found]
    path = f"/v1-webhooks/receivers/{id_}/history"
    print_page(output, collection(links, path, "revision", data), COLUMNS)


def rollback(
    receiver: Receiver,
    project: Project,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="ID|IMAGE", help="An entry of its history; default: what ran before."
        ),
    ] = None,
    repository: Annotated[
        str | None, typer.Option(help="The image, if the receiver deploys several.")
    ] = None,
    by: By = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deploy again what ran before, as the newest push.

    A freeze window does not stop it.
    """
    from webhook_service.host.http.wire import execution_json

    with session() as opened:
        id_ = opened.receiver_id(project, receiver)
        made = opened.service.interventions.roll_back(project, id_, to, repository, by=person(by))
        print_record(output, execution_json(made, opened.links(project), attempts=True))
