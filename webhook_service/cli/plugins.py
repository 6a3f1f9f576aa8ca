"""Plug-ins as commands show them: where each comes from, and whether it can be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import Output
from webhook_service.cli.output import print_record

if TYPE_CHECKING:
    from webhook_service.client import Client
    from webhook_service.plugins.discovery import Plugin, Plugins
    from webhook_service.resources.plugins import PluginResource

# Long, and no help to people: a command of its own prints it, or the API does.
_SCHEMAS = ("configSchema", "optionsSchema")
Json = dict[str, Any]
Lists = Callable[["Client"], Sequence["PluginResource"]]
"""Gets what a service elsewhere has of one kind."""


def listed(plugin: Plugin[Any]) -> Json:
    """What lists say of a plug-in of any kind."""
    return {
        "name": plugin.name,
        "state": plugin.state,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.problem,
    }


def show_elsewhere(noun: str, name: str, of: Lists, output: Output) -> None:
    """Print what the API says of a plug-in; the command fails if it cannot be used."""
    found = find_elsewhere(noun, name, of)
    said = found.as_json()
    print_record(output, {name: said[name] for name in said if name not in _SCHEMAS})
    if found.error:
        raise typer.Exit(1)


def show_here(
    plugins: Plugins[Any],
    noun: str,
    name: str,
    describe: Callable[[Any], Mapping[str, Any]],
    output: Output,
) -> None:
    """Print where a plug-in of this Python comes from, and what it is.

    The command fails if it cannot be used.

    Args:
        describe: what its class says of itself.
    """
    from webhook_service.plugins.provenance import provenance

    found = provenance(plugins.group, name)
    if not found:
        raise _missing(noun, name)
    plugin = next((each for each in plugins if each.name == name), None)
    state = "broken" if plugin is None else plugin.state
    error = "WEBHOOK_SERVICE_DRIVERS leaves it out." if plugin is None else plugin.problem
    target = None if plugin is None else plugin.target
    said = {} if target is None else {"contract": target.contract, **describe(target)}
    for each in found:
        head = {"name": name, "state": state, "error": error, **said}
        print_record(output, {**head, **asdict(each)})
    if error:
        raise typer.Exit(1)


def find_elsewhere(noun: str, name: str, of: Lists) -> PluginResource:
    """A plug-in of a service elsewhere; raises if it has none of this name."""
    with connect() as opened:
        for plugin in of(opened.client):
            if plugin.name == name:
                return plugin
    raise _missing(noun, name)


def _missing(noun: str, name: str) -> Exception:
    from webhook_service.errors import PluginUnavailable

    return PluginUnavailable(f"There is no {noun} {name[:100]!r}; see webhook-service {noun} list.")
