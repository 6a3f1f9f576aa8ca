"""``webhook-service secret-key``: the key that seals secrets in the database."""

from __future__ import annotations

import typer

from webhook_service.cli.connection.connect import connect_local
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json

app = typer.Typer(help="Change the key that seals secrets.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Change the key that seals secrets."""


@app.command()
def rotate(output: OutputOption = Output.TABLE) -> None:
    """Seal every stored secret again, with the newest key that is set.

    First set the new key before the old one, on every host and worker, and restart them. After this
    command remove the old key.
    """
    with connect_local("secret-key rotate") as (service, _):
        count = service.rotate_secret_key()
    if output is Output.JSON:
        print_json({"resealed": count})
    else:
        typer.echo(f"{count} rows are sealed with the newest key; the others can be removed.")
