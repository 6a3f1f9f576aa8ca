"""``webhook-service driver``: what can act on a push, and what its config is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json, print_page

if TYPE_CHECKING:
    from webhook_service.driver import WebhookDriver
    from webhook_service.plugins.discovery import Plugin, Plugins

app = typer.Typer(help="Look at the installed drivers.", no_args_is_help=True)

COLUMNS = {
    "NAME": "name",
    "STATE": "state",
    "DISTRIBUTION": "distribution",
    "VERSION": "version",
    "ERROR": "error",
}


@app.command("list")
def list_drivers(output: OutputOption = Output.TABLE) -> None:
    """List the drivers; a broken driver is shown with its error."""
    items = [_as_json(plugin) for plugin in _installed()]
    print_page(output, {"type": "collection", "resourceType": "driver", "data": items}, COLUMNS)


@app.command()
def schema(name: Annotated[str, typer.Argument(help="The driver's name.")]) -> None:
    """Print the JSON Schema of a driver's config."""
    from webhook_service.errors import PluginUnavailable
    from webhook_service.plugins.boundary import guarded

    config = _installed().get(name).Config
    with guarded(f"The JSON Schema of the driver {name}", PluginUnavailable):
        schema = config.model_json_schema()
    print_json(schema)


def _installed() -> Plugins[WebhookDriver[Any, Any]]:
    from webhook_service.driver import WebhookDriver
    from webhook_service.plugins.discovery import DRIVERS, discover
    from webhook_service.settings import load_settings

    return discover(DRIVERS, "driver", WebhookDriver, load_settings().drivers)


def _as_json(plugin: Plugin[WebhookDriver[Any, Any]]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "state": "broken" if plugin.error else "ready",
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.error,
    }
