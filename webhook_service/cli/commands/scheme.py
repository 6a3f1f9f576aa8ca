"""``webhook-service scheme``: how calls can be proven genuine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_page

if TYPE_CHECKING:
    from webhook_service.plugins.discovery import Plugin
    from webhook_service.schemes.scheme import Scheme

app = typer.Typer(help="Look at the installed verification schemes.", no_args_is_help=True)

COLUMNS = {
    "NAME": "name",
    "STATE": "state",
    "CHECKS": "checks",
    "OPTIONS": "options",
    "DISTRIBUTION": "distribution",
    "ERROR": "error",
}


@app.command("list")
def list_schemes(output: OutputOption = Output.TABLE) -> None:
    """List the schemes; a broken scheme is shown with its error."""
    from webhook_service.plugins.discovery import SCHEMES, discover
    from webhook_service.schemes.scheme import Scheme

    items = [_as_json(plugin) for plugin in discover(SCHEMES, "scheme", Scheme)]
    print_page(output, {"type": "collection", "resourceType": "scheme", "data": items}, COLUMNS)


def _as_json(plugin: Plugin[Scheme[Any]]) -> dict[str, Any]:
    target = plugin.target
    fields = target.Options.model_fields if target else {}
    return {
        "name": plugin.name,
        "state": "broken" if plugin.error else "ready",
        "checks": target.proof.algorithm if target else "",
        "options": [field.alias or name for name, field in fields.items()],
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error,
    }
