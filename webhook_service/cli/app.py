"""The command ``webhook-service`` and its sub-commands."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.commands import (
    audit,
    console,
    context,
    delivery,
    inbox,
    notification,
    project,
    send,
    token,
)
from webhook_service.cli.commands.executions import execution, follow, replay, revisions
from webhook_service.cli.commands.installation import (
    backup,
    demo,
    doctor,
    migrate,
    operator,
    prune,
    secret_key,
    serve,
    worker,
)
from webhook_service.cli.commands.plugins import driver, format, scheme
from webhook_service.cli.commands.receivers import files, importing, receiver
from webhook_service.cli.completion import contexts
from webhook_service.cli.examples import add_examples
from webhook_service.cli.failures import Commands
from webhook_service.cli.json_input import read_text
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
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("prune")(prune.prune)
app.command("doctor")(doctor.doctor)
app.command("send")(send.send)
app.command("demo")(demo.demo)
app.command("rollback")(revisions.rollback)
receiver.app.command("history")(revisions.history)
receiver.app.command("apply")(files.apply)
receiver.app.command("export")(files.export)
receiver.app.command("import")(importing.import_receivers)
execution.app.command("replay")(replay.replay)
execution.app.command("logs")(follow.logs)
execution.app.command("wait")(follow.wait)
app.add_typer(context.app, name="context")
app.add_typer(project.app, name="project")
app.add_typer(receiver.app, name="receiver")
app.add_typer(inbox.app, name="inbox")
app.add_typer(delivery.app, name="delivery")
app.add_typer(execution.app, name="execution")
app.add_typer(notification.app, name="notification")
app.add_typer(audit.app, name="audit")
app.add_typer(driver.app, name="driver")
app.add_typer(format.app, name="format")
app.add_typer(scheme.app, name="scheme")
app.add_typer(token.app, name="token")
app.add_typer(console.app, name="console")
app.add_typer(secret_key.app, name="secret-key")
app.add_typer(operator.app, name="operator")

add_examples(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"webhook-service {version('webhook-service')}")
        raise typer.Exit


@app.callback()
def root(
    output: GlobalOutput = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            envvar="WEBHOOK_SERVICE_SERVER",
            metavar="URL",
            help="The service to work on; without it the context's, else the local database.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="WEBHOOK_SERVICE_TOKEN",
            parser=read_text,
            metavar="TOKEN|@FILE|-",
            help="An API token for --server.",
        ),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file",
            envvar="WEBHOOK_SERVICE_CA_FILE",
            metavar="FILE",
            help="Certificates (PEM) to trust instead of the system's, also for 'send'.",
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            envvar="WEBHOOK_SERVICE_CONTEXT",
            metavar="NAME",
            help="A service by its name in 'context list'; 'local' is the local database.",
            autocompletion=contexts,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version),
    ] = False,
) -> None:
    """Settings come from WEBHOOK_SERVICE_* variables, or the file in WEBHOOK_SERVICE_CONFIG."""
