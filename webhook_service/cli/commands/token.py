"""``webhook-service token``: who may use the management API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from webhook_service.cli.connection.connect import ID_LENGTH, connect
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import ID, print_document, print_page, print_record
from webhook_service.cli.people import person
from webhook_service.cli.tables import Cell, Column
from webhook_service.cli.times import read_end

app = typer.Typer(help="Create and revoke API tokens.", no_args_is_help=True)

COLUMNS = (
    ID,
    Column("PROJECT", "projectId", shrinks=True),
    Column("ROLE", "role"),
    Column("NAME", "name", shrinks=True),
    Column("AGE", "created", Cell.AGE),
    Column("EXPIRES", "expires", Cell.AGE),
    Column("USED", "used", Cell.AGE),
    Column("REVOKED", "revoked", Cell.AGE),
    Column("CREATED", "created", wide=True),
)


@app.command()
def create(
    role: Annotated[
        Literal["owner", "member", "readonly"], typer.Option(help="What the token may do.")
    ],
    project: Project = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the token is for.")] = "",
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
    from webhook_service.model.people.tokens import Role
    from webhook_service.receiving.missing_grants import missing_grants

    with connect(project) as opened:
        made = opened.client.tokens.create(Role(role), name=name, expires=expires)
        told = None
        if opened.service is not None and opened.settings is not None:
            service = opened.service
            told = missing_grants(opened.settings, service.store, service.drivers)
    if told:
        typer.echo(told, err=True)
    print_record(output, made.as_json())


@app.command("list")
def list_tokens(
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="PROJECT", help="Only the tokens of this project."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the tokens, newest first.

    Their secrets cannot be shown again. The last use is exact to five minutes.
    """
    from webhook_service.model.people.tokens import Token
    from webhook_service.resources import TokenResource

    with connect(project, any_project=True) as opened:
        if opened.service is not None:
            found: list[Token] = list(opened.service.list_tokens(project))
            items = [_as_json(token) for token in found]
        else:
            shown: list[TokenResource] = list(opened.client.tokens.list(limit=1000))
            items = [token.as_json() for token in shown]
    print_page(output, {"type": "collection", "resourceType": "token", "data": items}, COLUMNS)


@app.command()
def revoke(
    token: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id, tok_…, or its beginning.")
    ],
    project: Project = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke a token; it stops working at once."""
    with connect(project, any_project=True) as opened:
        if opened.service is not None and len(token) == ID_LENGTH:
            id_ = token
            opened.service.revoke_token(token, by=person())
        else:
            id_ = opened.whole_id("tokens", "token", token)
            opened.client.tokens.revoke(id_)
    if not print_document(output, {"id": id_, "state": "revoked"}):
        typer.echo(f"{id_} is revoked.")


def _as_json(token: Any) -> dict[str, Any]:
    from webhook_service.host.http.links import Links
    from webhook_service.host.wire import token_json

    return token_json(token, Links("", token.project))
