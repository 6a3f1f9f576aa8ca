"""``webhook-service notification``: who is told of what happens in a project."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from webhook_service.cli.connection.connect import Connection, connect
from webhook_service.cli.json_input import read_object, read_object_file
from webhook_service.cli.options import Limit, Marker, Output, OutputOption, Project, Watch, given
from webhook_service.cli.output import ID, print_document, print_list, print_record
from webhook_service.cli.tables import Cell, Column

app = typer.Typer(help="Tell people of what happens.", no_args_is_help=True)

COLUMNS = (
    Column("ID", "id", Cell.ID, wide=True),
    Column("NAME", "name", shrinks=True),
    Column("KIND", "kind"),
    Column("ON", "on", shrinks=True),
    Column("LAST", "last.state"),
    Column("AGE", "last.created", Cell.AGE),
    Column("MESSAGE", "last.message", shrinks=True),
)
NOTICES = (
    ID,
    Column("HAPPENED", "happened"),
    Column("STATE", "state"),
    Column("AGE", "created", Cell.AGE),
    Column("IMAGE", "image", Cell.IMAGE, shrinks=True),
    Column("MESSAGE", "message", shrinks=True),
    Column("ABOUT", "about", wide=True),
)
Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="The notification.")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="A name, unique in the project.")
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="How people are told: slack, mail, webhook, …."),
]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="WHAT",
        help="What is told: succeeded, failed, rolledBack, held, drifted, refused. Repeat it.",
    ),
]
When = Annotated[
    str | None,
    typer.Option("--when", metavar="CEL", help="Tell only what passes this expression."),
]
Votes = Annotated[
    bool | None,
    typer.Option(
        "--votes/--no-votes",
        help="Let the message of a held push bring a link to approve or refuse it.",
    ),
]
Config = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--config",
        parser=read_object,
        metavar="JSON|@FILE|-",
        help="The kind's config; secrets are better in a file.",
    ),
]
Body = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--file",
        "-f",
        parser=read_object_file,
        metavar="PATH|-",
        help="The whole notification as JSON; other options win over it.",
    ),
]


@app.command()
def create(
    project: Project = None,
    name: Name = None,
    kind: Kind = None,
    on: On = None,
    when: When = None,
    votes: Votes = None,
    config: Config = None,
    file: Body = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let somebody be told."""
    body = _body(file, given(name=name, kind=kind, on=on, when=when, votes=votes), config, None)
    with connect(project) as opened:
        print_record(output, opened.client.notifications.create(body).as_json())


@app.command("list")
def list_notifications(
    project: Project = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the notifications, newest first. Each has its newest notice."""
    from webhook_service.cli.pages import get_page
    from webhook_service.resources import NotificationResource

    with connect(project) as opened:
        print_list(
            output,
            COLUMNS,
            lambda: get_page(opened.client, NotificationResource, "notifications", limit, marker),
            watch,
        )


@app.command()
def show(which: Which, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Show one notification; its secrets are hidden."""
    with connect(project) as opened:
        found = opened.client.notifications.get(_id(opened, which))
        print_record(output, found.as_json())


@app.command()
def update(
    which: Which,
    project: Project = None,
    name: Name = None,
    kind: Kind = None,
    on: On = None,
    when: When = None,
    votes: Votes = None,
    config: Config = None,
    file: Body = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change what is given; an empty --when removes the filter."""
    with connect(project) as opened:
        old = opened.client.notifications.get(_id(opened, which))
        options = given(name=name, kind=kind, on=on, when=when, votes=votes)
        body = _body(file, options, config, old.kind)
        print_record(output, opened.client.notifications.update(old.id, body).as_json())


@app.command()
def delete(which: Which, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """End a notification. What it has not sent yet is not sent any more."""
    with connect(project) as opened:
        id_ = _id(opened, which)
        opened.client.notifications.delete(id_)
    if not print_document(output, {"id": id_, "state": "deleted"}):
        typer.echo(f"{id_} is deleted.")


@app.command()
def test(which: Which, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Send a test. The service that runs sends it; 'notices' shows what came of it."""
    with connect(project) as opened:
        print_record(output, opened.client.notifications.test(_id(opened, which)).as_json())


@app.command()
def notices(
    which: Which,
    project: Project = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those in this state.")
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what a notification has sent or is to send, newest first."""
    from webhook_service.cli.pages import get_page
    from webhook_service.resources import NoticeResource

    with connect(project) as opened:
        path = f"notifications/{_id(opened, which)}/notices"
        print_list(
            output,
            NOTICES,
            lambda: get_page(opened.client, NoticeResource, path, limit, marker, state=state),
            watch,
        )


@app.command()
def replay(
    which: Which,
    notice: Annotated[str, typer.Argument(metavar="NOTICE", help="The notice's id, exe_….")],
    project: Project = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send an ended notice once more."""
    with connect(project) as opened:
        found = opened.client.notifications.replay(_id(opened, which), notice)
        print_record(output, found.as_json())


def _body(
    file: dict[str, Any] | None,
    options: dict[str, Any],
    config: dict[str, Any] | None,
    kind: str | None,
) -> dict[str, Any]:
    """The notification as JSON; an empty filter is none."""
    body = {**(file or {}), **options}
    if body.get("when") == "":
        body["when"] = None
    kind = body.get("kind") or kind
    return body if config is None else {**body, f"{kind}Config": config}


def _id(opened: Connection, which: str) -> str:
    """The id of a notification, by its name if it has one."""
    found = opened.client.notifications.find(which)
    return which if found is None else found.id
