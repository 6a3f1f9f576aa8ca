"""``webhook-service serve``: the service itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.options import Listen, given

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings


def serve(
    listen: Listen = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="First update the schema of the database.")
    ] = False,
) -> None:
    """Serve the endpoint and the management API, and run executions."""
    from webhook_service.cli.commands.installation.migrate import upgrade
    from webhook_service.settings import load_settings
    from webhook_service.telemetry.logs import configure

    settings = load_settings(**given(listen=listen))
    configure(settings.log_format, settings.log_level)
    if migrate:
        upgrade(settings)
    from webhook_service import host

    host.serve(settings, on_ready=_announce, beside=_console if settings.console else None)


def _console(settings: Settings, service: WebhookService) -> Mapping[str, Starlette]:
    from webhook_service.console import MOUNT, build_console

    return {MOUNT: build_console(settings, service)}


def _announce(address: str) -> None:
    typer.echo(f"webhook-service takes calls on {address}; Ctrl-C ends it.", err=True)
