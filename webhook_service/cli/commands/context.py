"""``webhook-service context``: the services that commands work on, each by a name."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.completion import contexts
from webhook_service.cli.json_input import read_text
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_page
from webhook_service.cli.tables import Column

app = typer.Typer(
    help="Choose the service that commands work on. The local database is 'local'.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The context.", autocompletion=contexts)]
COLUMNS = (
    Column("CURRENT", "current"),
    Column("NAME", "name"),
    Column("SERVER", "server", shrinks=True),
    Column("PROJECT", "project", shrinks=True),
    Column("CA FILE", "caFile", wide=True),
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    server: Annotated[str, typer.Option(metavar="URL", help="The service's address, https://….")],
    token: Annotated[
        str | None,
        typer.Option(
            parser=read_text, metavar="TOKEN|@FILE|-", help="An API token; asked for at a terminal."
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="PROJECT", help="Default: the token's project."),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificates (PEM) to trust instead of the system's."),
    ] = None,
) -> None:
    """Remember a service and use it. First it must take the token."""
    from pathlib import Path

    from webhook_service.cli.connection.connect import open_remote
    from webhook_service.cli.connection.contexts import Remote, load_contexts, save_contexts
    from webhook_service.cli.prompts import is_terminal

    if token is None and is_terminal():
        token = typer.prompt("API token", hide_input=True, err=True).strip()
    whole_ca = None if ca_file is None else str(Path(ca_file).resolve())
    remote = Remote(server.rstrip("/"), token, project, whole_ca)
    with open_remote(remote) as opened:
        found = opened.client.project()
    save_contexts(load_contexts().added(name, remote))
    typer.echo(f"Commands work on {remote.server} now, in the project {found.id}.")
    _tell_what_counts()


@app.command()
def use(name: Name) -> None:
    """Let commands work on another service. The local database is 'local'."""
    from webhook_service.cli.connection.contexts import load_contexts, save_contexts

    save_contexts(load_contexts().using(name))
    typer.echo(f"Commands work on {name} now.")
    _tell_what_counts()


@app.command("list")
def list_contexts(output: OutputOption = Output.TABLE) -> None:
    """List the services that are known, without their tokens."""
    from webhook_service.cli.connection.contexts import LOCAL, load_contexts

    known = load_contexts()
    items = [
        {
            "name": name,
            "current": known.current == name,
            "server": remote.server,
            "project": remote.project,
            "caFile": remote.ca_file,
        }
        for name, remote in known.remotes.items()
    ]
    items.append({"name": LOCAL, "current": known.current is None, "server": None, "project": None})
    print_page(output, {"type": "collection", "resourceType": "context", "data": items}, COLUMNS)
    _tell_what_counts()


@app.command()
def remove(name: Name) -> None:
    """Forget a service and its token. The token itself stays valid until it is revoked."""
    from webhook_service.cli.connection.contexts import load_contexts, save_contexts

    save_contexts(load_contexts().without(name))
    typer.echo(f"{name} is forgotten.")


def _tell_what_counts() -> None:
    from webhook_service.cli.connection.connect import named_in_place

    if (named := named_in_place()) is not None:
        typer.echo(
            f"Note: --server or --context, or WEBHOOK_SERVICE_SERVER or _CONTEXT, names {named}. "
            "That counts before the current context.",
            err=True,
        )
