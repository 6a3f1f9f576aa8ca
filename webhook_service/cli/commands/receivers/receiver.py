"""``webhook-service receiver``: what a project says should happen on a push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.completion import drivers, inboxes
from webhook_service.cli.connection.connect import Connection, connect
from webhook_service.cli.json_input import (
    composed,
    read_body,
    read_headers,
    read_labels,
    read_object,
    read_object_file,
    read_text,
)
from webhook_service.cli.options import (
    CallFile,
    CallHeaders,
    Format,
    Limit,
    Marker,
    Name,
    Output,
    OutputOption,
    Overlap,
    Project,
    Receiver,
    Verify,
    Watch,
    given,
)
from webhook_service.cli.output import print_document, print_list, print_record
from webhook_service.cli.people import person
from webhook_service.cli.prompts import ask_for_options
from webhook_service.cli.tables import Cell, Column

if TYPE_CHECKING:
    from webhook_service.resources import ReceiverResource

app = typer.Typer(help="Create and change receivers.", no_args_is_help=True)

COLUMNS = (
    Column("ID", "id", Cell.ID, wide=True),
    Column("NAME", "name", shrinks=True),
    Column("DRIVER", "driver", shrinks=True),
    Column("STATE", "state"),
    Column("LAST", "last.state"),
    Column("IMAGE", "last.event.image", Cell.IMAGE, shrinks=True),
    Column("AGE", "last.created", Cell.AGE),
    Column("REPOSITORIES", "match.repositories", wide=True),
    Column("INBOXES", "listen.inboxes", wide=True),
    Column("LABELS", "labels", wide=True),
    Column("CREATED", "created", wide=True),
    Column("PROBLEM", "problem", wide=True),
    Column("URL", "url", wide=True),
)

Driver = Annotated[
    str | None,
    typer.Option(
        "--driver",
        metavar="DRIVER",
        help="The driver that acts on a push; see 'driver list'.",
        autocompletion=drivers,
    ),
]
Config = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--config",
        parser=read_object,
        metavar="JSON|@FILE|-",
        help="The driver's config; see 'driver schema'.",
    ),
]
Body = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--file",
        "-f",
        parser=read_object_file,
        metavar="PATH|-",
        help="The whole receiver as JSON; other options win over it.",
    ),
]
Repository = Annotated[
    list[str] | None,
    typer.Option(
        "--repository", metavar="REPOSITORY", help="A repository whose pushes pass; repeatable."
    ),
]
TagPolicy = Annotated[
    str | None,
    typer.Option(
        "--tag-policy",
        metavar="POLICY",
        help="any, exact, glob, newer, regex or semver; --tag gives its value.",
    ),
]
Tag = Annotated[
    str | None,
    typer.Option(
        "--tag", metavar="VALUE", help="The value for --tag-policy; alone: exactly this tag."
    ),
]
MinimumAge = Annotated[
    str | None,
    typer.Option(
        "--minimum-age",
        metavar="SPAN",
        help="Hold a push until its image is so old: 90s, 30m, 72h or 3d. Its registry is asked.",
    ),
]
Listens = Annotated[
    list[str] | None,
    typer.Option(
        "--inbox",
        metavar="INBOX",
        help="An inbox to listen to, by name; repeatable. A new receiver then has no own URL.",
        autocompletion=inboxes,
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        "-l",
        metavar="KEY=VALUE",
        help="A label to set; KEY- removes it. Repeatable; other labels stay.",
    ),
]
V16Key = Annotated[
    str | None,
    typer.Option(
        "--key-from-v16",
        metavar="KEY|URL|@FILE|-",
        parser=read_text,
        help="The receiver's key or URL in v1.6; its old URL then goes on working.",
    ),
]


@app.command()
def create(
    project: Project = None,
    name: Name = None,
    driver: Driver = None,
    config: Config = None,
    body: Body = None,
    format: Format = None,
    repository: Repository = None,
    tag_policy: TagPolicy = None,
    tag: Tag = None,
    minimum_age: MinimumAge = None,
    verify: Verify = None,
    listens: Listens = None,
    labels: Labels = None,
    v16_key: V16Key = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a receiver and print its URL.

    At a terminal it asks for missing options of --verify.
    """
    options = given(name=name, driver=driver)
    with connect(project) as opened:
        asked = ask_for_options(verify, opened.client.plugins.schemes)
        said = body or {}
        parts = _parts(
            said, format, repository, tag_policy, tag, minimum_age, asked, listens, labels
        )
        whole = _with_config(composed({}, said, {**options, **parts}), config, None)
        _print_saved(output, _create(opened, whole, v16_key))


@app.command("list")
def list_receivers(
    project: Project = None,
    name: Name = None,
    driver: Driver = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only this state: active, suspended.")
    ] = None,
    limit: Limit = 100,
    marker: Marker = None,
    watch: Watch = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's receivers, newest first. Each has what came of its last push."""
    from webhook_service.cli.pages import add_last_results, get_page
    from webhook_service.resources import ReceiverResource

    def load() -> dict[str, Any]:
        filters = {"name": name, "driver": driver, "state": state}
        page = get_page(opened.client, ReceiverResource, "receivers", limit, marker, **filters)
        if output in (Output.TABLE, Output.WIDE):
            add_last_results(opened, page)
        return page

    with connect(project) as opened:
        print_list(output, COLUMNS, load, watch)


@app.command()
def show(receiver: Receiver, project: Project = None, output: OutputOption = Output.TABLE) -> None:
    """Show a receiver with its URL."""
    with connect(project) as opened:
        found = opened.client.receivers.get(opened.receiver_id(receiver))
        print_record(output, found.as_json())


@app.command()
def update(
    receiver: Receiver,
    project: Project = None,
    name: Name = None,
    driver: Driver = None,
    config: Config = None,
    body: Body = None,
    format: Format = None,
    repository: Repository = None,
    tag_policy: TagPolicy = None,
    tag: Tag = None,
    minimum_age: MinimumAge = None,
    verify: Verify = None,
    listens: Listens = None,
    labels: Labels = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change the parts of a receiver that you give.

    Everything else, the URL and the history stay as they are.
    """
    options = given(name=name, driver=driver)
    with connect(project) as opened:
        requests = opened.client.receivers
        old = requests.get(opened.receiver_id(receiver))
        stored, said = old.as_json(), body or {}
        after = composed({}, stored, said)
        parts = _parts(
            after, format, repository, tag_policy, tag, minimum_age, verify, listens, labels
        )
        whole = _with_config(composed(stored, said, {**options, **parts}), config, old.driver)
        _print_saved(output, requests.update(old.id, whole))


@app.command()
def delete(
    receiver: Receiver, project: Project = None, output: OutputOption = Output.TABLE
) -> None:
    """Delete a receiver.

    Its URL stops working at once. Its history stays.
    """
    with connect(project) as opened:
        id_ = opened.receiver_id(receiver)
        opened.client.receivers.delete(id_)
    if not print_document(output, {"id": id_, "state": "deleted"}):
        typer.echo(f"{receiver} is deleted.")


@app.command()
def rotate(
    receiver: Receiver,
    project: Project = None,
    overlap: Overlap = 24,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give a receiver a new URL."""
    with connect(project) as opened:
        id_ = opened.receiver_id(receiver)
        found = opened.client.receivers.rotate(id_, overlap_seconds=overlap * 3600)
        print_record(output, found.as_json())


@app.command()
def suspend(
    receiver: Receiver, project: Project = None, output: OutputOption = Output.TABLE
) -> None:
    """Suspend a receiver.

    Until 'resume', its calls are recorded as ignored and nothing runs.
    """
    _set_state(receiver, project, "suspended", output)


@app.command()
def resume(
    receiver: Receiver, project: Project = None, output: OutputOption = Output.TABLE
) -> None:
    """Let a suspended receiver run again."""
    _set_state(receiver, project, "active", output)


@app.command()
def simulate(
    receiver: Receiver,
    file: CallFile,
    project: Project = None,
    headers: CallHeaders = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a call would do now, and change nothing."""
    body, sent = read_body(file), read_headers(headers)
    with connect(project) as opened:
        id_ = opened.receiver_id(receiver)
        print_record(output, opened.client.receivers.simulate(id_, body, sent).as_json())


def _create(opened: Connection, body: dict[str, Any], v16_key: str | None) -> ReceiverResource:
    """Make a receiver; with a key of v1.6 only where the database is."""
    from webhook_service.receiving.v16.importer import read_old_url

    if v16_key is None:
        return opened.client.receivers.create(body)
    if opened.service is None or opened.project is None:
        raise typer.BadParameter(
            "works on the service's own host only.", param_hint="--key-from-v16"
        )
    key = read_old_url(v16_key).key
    made = opened.service.create_receiver(opened.project, body, v16_key=key, by=person())
    return opened.client.receivers.get(made.id)


def _set_state(receiver: str, project: str | None, state: str, output: Output) -> None:
    with connect(project) as opened:
        found = opened.client.receivers.update(opened.receiver_id(receiver), {"state": state})
        _print_saved(output, found)


def _print_saved(output: Output, receiver: ReceiverResource) -> None:
    """A receiver, and on stderr what people should know about it."""
    shown = receiver.as_json()
    warnings = shown.pop("warnings", None) or ()
    print_record(output, shown)
    for warning in warnings:
        typer.echo(f"Warning: {warning}", err=True)


def _with_config(
    body: dict[str, Any], config: Mapping[str, Any] | None, driver: str | None
) -> dict[str, Any]:
    """The body with the driver's config in the field that has the driver's name."""
    from webhook_service.model.receiver import config_field

    if config is None:
        return body
    return {**body, config_field(str(body.get("driver") or driver or "")): config}


def _parts(
    before: Mapping[str, Any],
    format: str | None,
    repositories: list[str] | None,
    policy: str | None,
    tag: str | None,
    minimum_age: str | None,
    verify: str | Mapping[str, Any] | None,
    listens: list[str] | None,
    labels: list[str] | None,
) -> dict[str, Any]:
    """The core's parts, as far as options speak of them; ``before`` is what they change."""
    # A tag alone changes the value of the policy that is there.
    tags = (before.get("match") or {}).get("tags") or {}
    has_value = tags.get("policy", "any") != "any"
    rule = given(policy=policy or ("exact" if tag and not has_value else None), value=tag)
    match = given(
        repositories=repositories or None, tags=rule or None, minimumAge=minimum_age or None
    )
    asks = minimum_age and not before.get("registry")
    return given(
        registry={"resolve": True} if asks else None,
        source={"format": format} if format else None,
        match=match or None,
        verify={"scheme": verify} if isinstance(verify, str) else verify,
        listen={"inboxes": listens} if listens else None,
        labels=read_labels(labels) or None,
    )
