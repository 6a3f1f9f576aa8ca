"""``webhook-service token``: who may use the management API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import print_json, print_page, print_record
from webhook_service.cli.people import person
from webhook_service.cli.session import session
from webhook_service.cli.times import read_end

if TYPE_CHECKING:
    from webhook_service.model.tokens import Token

app = typer.Typer(help="Create and revoke API tokens.", no_args_is_help=True)

COLUMNS = {
    "ID": "id",
    "PROJECT": "project",
    "ROLE": "role",
    "NAME": "name",
    "CREATED": "created",
    "EXPIRES": "expires",
    "LAST USED": "used",
    "REVOKED": "revoked",
}


@app.command()
def create(
    project: Project,
    role: Annotated[
        Literal["owner", "member", "readonly"], typer.Option(help="What the token may do.")
    ],
    name: Annotated[str, typer.Option(help="What the token is for.")] = "",
    expires: Annotated[
        datetime | None,
        typer.Option(
            parser=read_end,
            metavar="SPAN|TIME",
            help="When it ends: after 12h or 90d, or at an ISO 8601 time. Default: never.",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a token and print it; it is never shown again."""
    from webhook_service.model.tokens import Role
    from webhook_service.receiving.missing_grants import missing_grants
    from webhook_service.settings import load_settings

    with session() as opened:
        token, secret = opened.service.create_token(
            project, Role(role), name=name, expires=expires, by=person()
        )
        told = missing_grants(load_settings(), opened.service.store, opened.service.drivers)
    if told:
        typer.echo(told, err=True)
    print_record(output, {**_as_json(token), "token": secret})


@app.command("list")
def list_tokens(
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Only the tokens of this project.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the tokens, newest first.

    Their secrets cannot be shown again. The last use is exact to five minutes.
    """
    with session() as opened:
        items = [_as_json(token) for token in opened.service.list_tokens(project)]
    print_page(output, {"type": "collection", "resourceType": "token", "data": items}, COLUMNS)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, tok_….")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke a token; it stops working at once."""
    with session() as opened:
        opened.service.revoke_token(token, by=person())
    if output is Output.JSON:
        print_json({"id": token, "state": "revoked"})
    else:
        typer.echo(f"{token} is revoked.")


def _as_json(token: Token) -> dict[str, Any]:
    from webhook_service.model.as_json import time_to_json

    return {
        "id": token.id,
        "type": "token",
        "project": token.project,
        "role": token.role.value,
        "name": token.name,
        "created": time_to_json(token.created),
        "expires": time_to_json(token.expires),
        "used": time_to_json(token.used),
        "revoked": time_to_json(token.revoked),
    }
