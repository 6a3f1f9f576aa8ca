"""``webhook-service receiver import``: receivers of Rancher 1.6, with the URLs that they had."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import NO_PROJECT, connect_local
from webhook_service.cli.json_input import read_any_file, read_pairs
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import print_page
from webhook_service.cli.people import person
from webhook_service.cli.tables import Column

if TYPE_CHECKING:
    from webhook_service.receiving.v16.importer import OldReceiver
    from webhook_service.service import WebhookService

COLUMNS = (
    Column("NAME", "name"),
    Column("DRIVER", "driver"),
    Column("RESULT", "result"),
)
DONE = ("made", "would be made", "there already")


def import_receivers(
    file: Annotated[
        Any,
        typer.Argument(
            parser=read_any_file,
            metavar="FILE|-",
            help="What GET /v1-webhooks/receivers?projectId=… of v1.6 answered, or Cattle's "
            "generic objects, as JSON.",
        ),
    ],
    project: Project = None,
    map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW|@FILE",
            help="What an id of Rancher is now: 1s7=shop/web for a service, 1a5=shop for a "
            "project. Repeatable; a file has one in each line.",
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The namespace of everything that has no name of its own in --map."
        ),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cluster, by its name in the settings.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and make nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make receivers of Rancher 1.6 anew. Their old URLs go on working.

    Each receiver is made as a whole or not at all, and one that is there already stays as it is:
    repeat the command until every line says so.
    """
    from webhook_service.receiving.v16.importer import moved, read_old_receivers

    names = read_pairs(map)
    if project is None:
        raise typer.BadParameter(NO_PROJECT, param_hint="--project / -p")
    rows = []
    with connect_local("receiver import") as (service, _):
        create = partial(service.create_receiver, by=person())
        make = service.check_receiver if dry_run else create

        def make_one(old: OldReceiver) -> str:
            new = moved(old, names, namespace, cluster)
            make(project, new.body, v16_key=old.key)
            return f"{'would be made' if dry_run else 'made'}{_hint(old, project)}"

        for old in read_old_receivers(file):
            result = _result(service, project, old, make_one)
            rows.append({"name": old.name, "driver": old.driver, "result": result})
    print_page(output, {"type": "collection", "data": rows}, COLUMNS)
    if not all(row["result"].startswith(DONE) for row in rows):
        raise typer.Exit(1)


def _result(
    service: WebhookService, project: str, old: OldReceiver, make: Callable[[OldReceiver], str]
) -> str:
    """What became of one receiver, as its line says it."""
    from webhook_service.errors import UnknownKey, WebhookServiceError
    from webhook_service.receiving.v16.importer import NeedsMapping

    try:
        if old.key:
            service.require_key(project, old.key)
            return "there already"
    except UnknownKey:
        pass
    try:
        return make(old)
    except NeedsMapping as exc:
        return f"needs {exc.message}"
    except WebhookServiceError as exc:
        return f"cannot: {exc.message}"


def _hint(old: OldReceiver, project: str) -> str:
    """What else its old URL needs."""
    if old.key is None:
        return ", with a new URL: nothing says which key it had"
    if old.project not in (None, project):
        return f", but its old URL names the project {old.project}: import it with -p {old.project}"
    if old.signed:
        return "; its old URL needs WEBHOOK_SERVICE_V16_PUBLIC_KEY_FILE"
    return ""
