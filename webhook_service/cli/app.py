"""The command ``webhook-service`` and its sub-commands."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.commands import (
    audit,
    delivery,
    demo,
    driver,
    execution,
    format,
    migrate,
    receiver,
    receiver_import,
    revisions,
    scheme,
    secret_key,
    send,
    serve,
    token,
    worker,
)
from webhook_service.cli.failures import Commands
from webhook_service.cli.options import GlobalOutput

app = typer.Typer(
    name="webhook-service",
    help="Turns pushed images into verified changes of running workloads.",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("migrate")(migrate.migrate)
app.command("send")(send.send)
app.command("demo")(demo.demo)
app.command("rollback")(revisions.rollback)
receiver.app.command("history")(revisions.history)
receiver.app.command("import")(receiver_import.import_receivers)
app.add_typer(receiver.app, name="receiver")
app.add_typer(delivery.app, name="delivery")
app.add_typer(execution.app, name="execution")
app.add_typer(audit.app, name="audit")
app.add_typer(driver.app, name="driver")
app.add_typer(format.app, name="format")
app.add_typer(scheme.app, name="scheme")
app.add_typer(token.app, name="token")
app.add_typer(secret_key.app, name="secret-key")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"webhook-service {version('webhook-service')}")
        raise typer.Exit


@app.callback()
def root(
    output: GlobalOutput = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version),
    ] = False,
) -> None:
    """Settings come from WEBHOOK_SERVICE_* variables, or the file in WEBHOOK_SERVICE_CONFIG."""
