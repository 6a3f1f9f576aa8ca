"""``webhook-service driver``: what can act on a push, and what its config is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import chosen, connect
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_json, print_page
from webhook_service.cli.plugins import find_elsewhere, listed, show_elsewhere, show_here
from webhook_service.cli.scaffold.command import new_command
from webhook_service.cli.tables import Column

if TYPE_CHECKING:
    from webhook_service.driver import WebhookDriver
    from webhook_service.plugins.discovery import Plugins

app = typer.Typer(help="Look at the installed drivers.", no_args_is_help=True)
app.command("new")(new_command("driver", "webhook_service.drivers"))

COLUMNS = (
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("VERSION", "version"),
    Column("DISTRIBUTION", "distribution", shrinks=True),
    Column("ERROR", "error", spills=True),
)


@app.command("list")
def list_drivers(output: OutputOption = Output.TABLE) -> None:
    """List the drivers; one that is not ready says why, and what to do."""
    if chosen() is None:
        items = [listed(plugin) for plugin in _installed()]
    else:
        with connect() as opened:
            items = [plugin.as_json() for plugin in opened.client.plugins.drivers()]
    print_page(output, {"type": "collection", "resourceType": "driver", "data": items}, COLUMNS)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The driver's name.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show where a driver comes from, and what is missing.

    That is its distribution, its version, and the hash of its files.

    It fails if the driver cannot be used. Its module is imported, as when a receiver uses it. Of a
    server it shows what the API says.
    """
    if chosen() is None:
        show_here(_installed(), "driver", name, lambda driver: {}, output)
    else:
        show_elsewhere("driver", name, lambda client: client.plugins.drivers(), output)


@app.command()
def schema(name: Annotated[str, typer.Argument(metavar="NAME", help="The driver's name.")]) -> None:
    """Print the JSON Schema of a driver's config."""
    from webhook_service.errors import PluginUnavailable
    from webhook_service.plugins.boundary import guarded

    if chosen() is not None:
        found = find_elsewhere("driver", name, lambda client: client.plugins.drivers())
        print_json(found.as_json()["configSchema"])
        return
    config = _installed().get(name).Config
    with guarded(f"The JSON Schema of the driver {name}", PluginUnavailable):
        schema = config.model_json_schema()
    print_json(schema)


def _installed() -> Plugins[WebhookDriver[Any, Any]]:
    from webhook_service.plugins.instances import allowed_drivers
    from webhook_service.settings import load_settings

    return allowed_drivers(load_settings())
