"""``webhook-service worker``: runs executions for hosts with the engine celery."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.failures import fail


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            "-c",
            min=1,
            max=256,
            metavar="NUMBER",
            help="Processes that run drivers; default: WEBHOOK_SERVICE_WORKERS.",
        ),
    ] = None,
) -> None:
    """Run executions that hosts put on the broker.

    It needs WEBHOOK_SERVICE_ENGINE=celery, here and at the hosts.
    """
    from webhook_service.settings import load_settings
    from webhook_service.telemetry.logs import configure

    settings = load_settings()
    if settings.engine != "celery":
        fail("WEBHOOK_SERVICE_ENGINE is not celery: hosts with the local engine need no workers.")
    configure(settings.log_format, settings.log_level)
    from webhook_service.engine.celery.worker import Worker

    raise typer.Exit(Worker(settings, concurrency or settings.workers).run(_announce))


def _announce() -> None:
    typer.echo("webhook-service worker takes executions; Ctrl-C ends it.", err=True)
