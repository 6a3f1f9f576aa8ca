"""``webhook-service backup`` and ``restore``: whole copies of a SQLite database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from webhook_service.cli.connection.connect import require_local
from webhook_service.cli.json_input import read_text
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json

Passphrase = Annotated[
    str | None,
    typer.Option(
        parser=read_text,
        metavar="@FILE|-",
        help="Of the secret key beside the backup, as @FILE or - (stdin).",
    ),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(file: File, passphrase: Passphrase = None, output: OutputOption = Output.TABLE) -> None:
    """Copy the SQLite database to a file while the service runs.

    With --passphrase the secret key goes beside it, locked; without, keep the key apart.
    """
    from webhook_service.settings import load_settings
    from webhook_service.store.backup.backup import back_up

    require_local("backup")
    made = back_up(load_settings(), file, passphrase)
    if output is Output.JSON:
        print_json({"file": str(made.file), "key": made.key and str(made.key)})
    elif made.key is not None:
        typer.echo(f"Made {made.file} and {made.key}; the passphrase opens the key.")
    else:
        typer.echo(f"Made {made.file}. It needs the secret key, which is not in it.")


def restore(
    file: File,
    passphrase: Passphrase = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Set the database aside that is there now.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a backup in the place of the SQLite database.

    Stop the service first.
    """
    from webhook_service.settings import load_settings
    from webhook_service.store.backup.backup import put_back

    require_local("restore")
    done = put_back(load_settings(), file, passphrase, replace=replace)
    if output is Output.JSON:
        replaced = done.replaced and str(done.replaced)
        print_json({"file": str(done.file), "replaced": replaced, "open": done.open})
        return
    typer.echo(f"Restored {done.file}.")
    if done.replaced is not None:
        typer.echo(f"What was there is {done.replaced} now.")
    if done.open:
        typer.echo(
            f"{done.open} executions had not ended, and run when the service starts. Cancel first "
            "what is out of date: see webhook-service execution list, and execution cancel."
        )
