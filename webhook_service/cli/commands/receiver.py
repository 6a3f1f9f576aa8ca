"""``webhook-service receiver``: what a project says should happen on a push."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.json_input import (
    read_bytes,
    read_headers,
    read_name_or_object,
    read_object,
    read_object_file,
    read_text,
)
from webhook_service.cli.options import Limit, Marker, Output, OutputOption, Project, given
from webhook_service.cli.output import print_json, print_page, print_record
from webhook_service.cli.people import person
from webhook_service.cli.prompts import ask_for_options
from webhook_service.cli.session import Session, session

if TYPE_CHECKING:
    from webhook_service.model.receiver import Receiver

app = typer.Typer(help="Create and change receivers.", no_args_is_help=True)

COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "DRIVER": "driver",
    "STATE": "state",
    "CREATED": "created",
}

Id = Annotated[str, typer.Argument(metavar="ID", help="The receiver's id, rcv_….")]
Name = Annotated[str | None, typer.Option("--name", help="A name, unique in the project.")]
Driver = Annotated[
    str | None, typer.Option("--driver", help="The driver that acts on a push; see 'driver list'.")
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
Format = Annotated[
    str | None, typer.Option("--format", help="The format of the calls; see 'format list'.")
]
Repository = Annotated[
    list[str] | None,
    typer.Option("--repository", help="A repository whose pushes pass; repeatable."),
]
TagPolicy = Annotated[
    str | None,
    typer.Option(
        "--tag-policy", help="any, exact, glob, newer, regex or semver; --tag gives its value."
    ),
]
Tag = Annotated[
    str | None, typer.Option("--tag", help="The value for --tag-policy; alone: exactly this tag.")
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
Verify = Annotated[
    Any,
    typer.Option(
        "--verify",
        parser=read_name_or_object,
        metavar="SCHEME|JSON|@FILE|-",
        help="How calls are proven genuine; with 'none' only the secret URL protects the receiver.",
    ),
]


@app.command()
def create(
    project: Project,
    name: Name = None,
    driver: Driver = None,
    config: Config = None,
    body: Body = None,
    format: Format = None,
    repository: Repository = None,
    tag_policy: TagPolicy = None,
    tag: Tag = None,
    verify: Verify = None,
    v16_key: V16Key = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a receiver and print its URL.

    At a terminal it asks for missing options of --verify.
    """
    from webhook_service.receiving.v16_import import read_old_url

    options = given(name=name, driver=driver)
    with session() as opened:
        asked = ask_for_options(verify, opened.service.schemes)
        parts = _parts({}, format, repository, tag_policy, tag, asked)
        whole = _with_config({**(body or {}), **options, **parts}, config, None)
        old_key = read_old_url(v16_key).key if v16_key else None
        receiver = opened.service.create_receiver(project, whole, v16_key=old_key, by=person())
        print_record(output, _as_json(opened, receiver))


@app.command("list")
def list_receivers(
    project: Project,
    name: Name = None,
    driver: Driver = None,
    limit: Limit = 100,
    marker: Marker = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the project's receivers, newest first."""
    from webhook_service.host.http.wire import page_json
    from webhook_service.model.pages import PageRequest

    with session() as opened:
        filters = given(name=name, driver=driver)
        page = opened.service.list_receivers(project, PageRequest(limit, marker, filters))
        items = [_as_json(opened, receiver) for receiver in page.items]
        links = opened.links(project)
        found = page_json(links, "/v1-webhooks/receivers", "receiver", items, page, filters)
    print_page(output, found, COLUMNS)


@app.command()
def show(receiver: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """Show a receiver with its URL."""
    with session() as opened:
        found = opened.service.get_receiver(project, receiver)
        print_record(output, _as_json(opened, found))


@app.command()
def update(
    receiver: Id,
    project: Project,
    name: Name = None,
    driver: Driver = None,
    config: Config = None,
    body: Body = None,
    format: Format = None,
    repository: Repository = None,
    tag_policy: TagPolicy = None,
    tag: Tag = None,
    verify: Verify = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change the parts of a receiver that you give.

    Everything else, the URL and the history stay as they are.
    """
    from webhook_service.model.receiver import as_json

    options = given(name=name, driver=driver)
    with session() as opened:
        old = opened.service.get_receiver(project, receiver).spec
        parts = _parts(as_json(old), format, repository, tag_policy, tag, verify)
        whole = _with_config({**(body or {}), **options, **parts}, config, old.driver)
        changed = opened.service.update_receiver(project, receiver, whole, by=person())
        print_record(output, _as_json(opened, changed))


@app.command()
def delete(receiver: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """Delete a receiver.

    Its URL stops working at once. Its history stays.
    """
    with session() as opened:
        opened.service.delete_receiver(project, receiver, by=person())
    if output is Output.JSON:
        print_json({"id": receiver, "state": "deleted"})
    else:
        typer.echo(f"{receiver} is deleted.")


@app.command()
def rotate(
    receiver: Id,
    project: Project,
    overlap: Annotated[
        float,
        typer.Option(min=0, max=720, metavar="HOURS", help="How long the old URL still works."),
    ] = 24,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give a receiver a new URL."""
    with session() as opened:
        opened.service.rotate_key(project, receiver, timedelta(hours=overlap), by=person())
        found = opened.service.get_receiver(project, receiver)
        print_record(output, _as_json(opened, found))


@app.command()
def suspend(receiver: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """Suspend a receiver.

    Until 'resume', its calls are recorded as ignored and nothing runs.
    """
    with session() as opened:
        found = opened.service.suspend_receiver(project, receiver, by=person())
        print_record(output, _as_json(opened, found))


@app.command()
def resume(receiver: Id, project: Project, output: OutputOption = Output.TABLE) -> None:
    """Let a suspended receiver run again."""
    with session() as opened:
        found = opened.service.resume_receiver(project, receiver, by=person())
        print_record(output, _as_json(opened, found))


def _as_json(opened: Session, receiver: Receiver) -> dict[str, Any]:
    from webhook_service.host.http.wire import receiver_json

    key = opened.service.receiver_key(receiver.project, receiver.id)
    drivers = opened.service.drivers.names
    problem = opened.service.receiver_problems([receiver]).get(receiver.id)
    return receiver_json(receiver, drivers, opened.links(receiver.project), key, problem)


def _with_config(
    body: dict[str, Any], config: Mapping[str, Any] | None, driver: str | None
) -> dict[str, Any]:
    """The body with the driver's config in the field that has the driver's name."""
    from webhook_service.model.receiver import config_field

    if config is None:
        return body
    return {**body, config_field(str(body.get("driver") or driver or "")): config}


def _parts(
    stored: Mapping[str, Any],
    format: str | None,
    repositories: list[str] | None,
    policy: str | None,
    tag: str | None,
    verify: str | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The core's parts of the body, as far as options speak of them."""
    # A tag alone changes the value of the policy that is there.
    has_value = stored.get("match", {}).get("tags", {}).get("policy", "any") != "any"
    rule = given(policy=policy or ("exact" if tag and not has_value else None), value=tag)
    match = given(repositories=repositories or None, tags=rule or None)
    return given(
        source={"format": format} if format else None,
        match=match or None,
        verify={"scheme": verify} if isinstance(verify, str) else verify,
    )


@app.command()
def simulate(
    receiver: Id,
    project: Project,
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The body of a call; - is stdin.")
    ],
    headers: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="NAME:VALUE|@FILE", help="A header; repeatable."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a call would do now, and change nothing."""
    from webhook_service.host.api.simulation import simulation_json
    from webhook_service.model.delivery import Call

    call = Call(read_bytes(file), read_headers(headers))
    with session() as opened:
        print_record(output, simulation_json(opened.service.simulate(project, receiver, call)))
