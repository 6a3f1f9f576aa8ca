"""``webhook-service serve``: the service itself."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.options import Listen, given

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from webhook_service.host.server import Beside
    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings

# For threads of plug-ins, once all else has ended.
END_SECONDS = 5.0
SHOWN_THREADS = 10
log = logging.getLogger(__name__)

# Not from the folder that the service happens to be started in.
HOST_PROCESS = (
    sys.executable,
    "-P",
    "-m",
    "webhook_service.cli.commands.installation.host_process",
)


def serve(
    listen: Listen = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="First update the schema of the database.")
    ] = False,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=64,
            metavar="NUMBER",
            help="How many processes serve the address together; more than 1 need PostgreSQL.",
        ),
    ] = 1,
) -> None:
    """Serve the endpoint and the API, and run executions."""
    from webhook_service.cli.commands.installation.migrate import upgrade
    from webhook_service.settings import load_settings
    from webhook_service.telemetry.logs import configure

    settings = load_settings(**given(listen=listen))
    configure(settings.log_format, settings.log_level)
    if processes > 1:
        from webhook_service.processes.parent import require_usable

        require_usable(settings)
    if migrate:
        upgrade(settings)
    if processes > 1:
        from webhook_service.processes.parent import serve_in_processes

        raise typer.Exit(serve_in_processes(settings, processes, HOST_PROCESS, _announce))
    from webhook_service import host

    host.serve(settings, on_ready=_announce, beside=beside(settings))
    end_within(END_SECONDS)


def end_within(seconds: float) -> None:
    """End a process whose work is done, also if plug-ins have left threads that do not end."""
    threading.Thread(target=_end_after, args=(seconds,), name="end", daemon=True).start()


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    main = threading.main_thread()
    left = [each.name for each in threading.enumerate() if each is not main and not each.daemon]
    log.error(
        "The service has ended, and what plug-ins began has not: the process ends without these "
        "threads: %s.",
        ", ".join(left[:SHOWN_THREADS]),
    )
    os._exit(0)


def beside(settings: Settings) -> Beside | None:
    """Builds what the settings want to be served beside the API: the console, or nothing."""
    return _console if settings.console else None


def _console(settings: Settings, service: WebhookService) -> Mapping[str, Starlette]:
    from webhook_service.console import MOUNT, build_console

    return {MOUNT: build_console(settings, service)}


def _announce(address: str) -> None:
    typer.echo(f"webhook-service takes calls on {address}; Ctrl-C ends it.", err=True)
