"""``webhook-service console``: the way into the console, for people."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from webhook_service.cli.connection.connect import NO_PROJECT, connect_local
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import print_json
from webhook_service.cli.people import person

app = typer.Typer(help="Log in at the console.", no_args_is_help=True)


@app.command()
def link(
    project: Project = None,
    role: Annotated[
        Literal["owner", "member", "readonly"], typer.Option(help="What the person may do.")
    ] = "owner",
    name: Annotated[str, typer.Option(metavar="NAME", help="Who the person is.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Print a link that logs in once, within ten minutes.

    It belongs to a new token, which ends with the session after 12 hours.
    """
    from datetime import UTC, datetime

    from webhook_service.console import MOUNT
    from webhook_service.model.people.sessions import SESSION_LIFETIME
    from webhook_service.model.people.tokens import Role

    by = person()
    if project is None:
        raise typer.BadParameter(NO_PROJECT, param_hint="--project / -p")
    with connect_local("console link") as (service, settings):
        ends = datetime.now(UTC) + SESSION_LIFETIME
        shown = name or f"console of {by.name}"
        token, _ = service.create_token(project, Role(role), name=shown, expires=ends, by=by)
        secret = service.sessions.make_link(token)
        base_url = settings.base_url or f"http://{settings.listen}"
        url = f"{base_url}{MOUNT}/login/link?link={secret}"
    if output is Output.JSON:
        print_json({"type": "consoleLink", "url": url, "token": token.id})
    else:
        typer.echo(url)
