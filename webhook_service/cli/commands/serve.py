"""``webhook-service serve``: the service itself."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.options import Listen, given


def serve(
    listen: Listen = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="First update the schema of the database.")
    ] = False,
) -> None:
    """Serve the endpoint and the management API, and run executions."""
    from webhook_service.cli.commands.migrate import upgrade
    from webhook_service.settings import load_settings
    from webhook_service.telemetry.logs import configure

    settings = load_settings(**given(listen=listen))
    configure(settings.log_format)
    if migrate:
        upgrade(settings)
    from webhook_service import host

    host.serve(settings, on_ready=_announce)


def _announce(address: str) -> None:
    typer.echo(f"webhook-service takes calls on {address}; Ctrl-C ends it.", err=True)
