"""``webhook-service scheme``: how calls can be proven genuine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import chosen, connect
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_page
from webhook_service.cli.plugins import listed, show_elsewhere, show_here
from webhook_service.cli.scaffold.command import new_command
from webhook_service.cli.tables import Column

if TYPE_CHECKING:
    from webhook_service.plugins.discovery import Plugin, Plugins
    from webhook_service.schemes.scheme import Scheme

app = typer.Typer(help="Look at the installed verification schemes.", no_args_is_help=True)
app.command("new")(new_command("scheme", "webhook_service.schemes"))

COLUMNS = (
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("CHECKS", "checks", shrinks=True),
    Column("OPTIONS", "options", shrinks=True),
    Column("DISTRIBUTION", "distribution", shrinks=True),
    Column("ERROR", "error", spills=True),
)


@app.command("list")
def list_schemes(output: OutputOption = Output.TABLE) -> None:
    """List the schemes; one that is not ready says why, and what to do."""
    if chosen() is None:
        items = [_as_json(plugin) for plugin in _installed()]
    else:
        with connect() as opened:
            items = [plugin.as_json() for plugin in opened.client.plugins.schemes()]
    print_page(output, {"type": "collection", "resourceType": "scheme", "data": items}, COLUMNS)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The scheme's name.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a scheme checks, and where it comes from. It has the options, too.

    It fails if the scheme cannot be used. Of a server it shows what the API says.
    """
    if chosen() is None:
        show_here(_installed(), "scheme", name, _described, output)
    else:
        show_elsewhere("scheme", name, lambda client: client.plugins.schemes(), output)


def _installed() -> Plugins[Scheme[Any]]:
    from webhook_service.plugins.discovery import SCHEMES, discover
    from webhook_service.schemes.scheme import Scheme

    return discover(SCHEMES, "scheme", Scheme)


def _as_json(plugin: Plugin[Scheme[Any]]) -> dict[str, Any]:
    said = _described(plugin.target) if plugin.target else {"checks": "", "options": []}
    return {**listed(plugin), **said}


def _described(target: type[Scheme[Any]]) -> dict[str, Any]:
    fields = target.Options.model_fields
    return {
        "checks": target.proof.algorithm,
        "replay": target.proof.replay,
        "options": [field.alias or name for name, field in fields.items()],
        "secrets": sorted(target.Options.secret_fields()),
    }
