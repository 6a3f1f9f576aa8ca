"""Drivers, formats and schemes as JSON."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any, Literal, TypedDict

from pydantic import BaseModel

from webhook_service.driver import PushEvent, WebhookDriver
from webhook_service.errors import PluginUnavailable
from webhook_service.formats.format import Format
from webhook_service.host.http.links import PREFIX, Links
from webhook_service.model.receiver import config_field
from webhook_service.plugins.boundary import guarded, storable_json
from webhook_service.plugins.discovery import Plugin
from webhook_service.resources import DriverResource, FormatResource, SchemeResource
from webhook_service.schemes.scheme import Scheme

Json = dict[str, Any]


def driver_json(plugin: Plugin[WebhookDriver[Any, Any]], links: Links) -> Json:
    """A driver, with the JSON Schema of its config."""
    target = plugin.target
    return DriverResource(
        type="driver",
        **_common(plugin, links, "drivers"),
        summary="" if target is None else _summary(target),
        consumes=None if target is None else _consumed(target),
        config_field=config_field(plugin.name),
        config_schema=target and schema_of(f"The driver {plugin.name}", target.Config),
    ).as_json()


def format_json(plugin: Plugin[Format[Any]], links: Links) -> Json:
    """A payload format, with the JSON Schema of its options."""
    target = plugin.target
    return FormatResource(
        type="format",
        **_common(plugin, links, "formats"),
        sender="" if target is None else target.sender.name,
        schemes=[] if target is None else list(target.sender.verification),
        options_schema=target and schema_of(f"The format {plugin.name}", target.Options),
    ).as_json()


def scheme_json(plugin: Plugin[Scheme[Any]], links: Links) -> Json:
    """A verification scheme, with the JSON Schema of its options."""
    target = plugin.target
    fields = {} if target is None else target.Options.model_fields
    return SchemeResource(
        type="scheme",
        **_common(plugin, links, "schemes"),
        checks="" if target is None else target.proof.algorithm,
        replay="" if target is None else target.proof.replay,
        options=[field.alias or name for name, field in fields.items()],
        secrets=[] if target is None else sorted(target.Options.secret_fields()),
        options_schema=target and schema_of(f"The scheme {plugin.name}", target.Options),
    ).as_json()


def schema_of(owner: str, model: type[BaseModel]) -> Json | None:
    """The JSON Schema of a plug-in's options; None if it has none, and the log says why.

    Args:
        owner: whose it is, for the log.
    """
    with suppress(PluginUnavailable), guarded(f"{owner}'s JSON Schema", PluginUnavailable, ()):
        return dict(storable_json(model.model_json_schema(by_alias=True), "schema"))
    return None


class _Common(TypedDict):
    id: str
    name: str
    state: Literal["ready", "incomplete", "broken"]
    distribution: str
    version: str
    error: str | None
    links: dict[str, str]
    actions: dict[str, str]


def _common(plugin: Plugin[Any], links: Links, kind: str) -> _Common:
    return {
        "id": plugin.name,
        "name": plugin.name,
        "state": plugin.state,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "error": plugin.problem,
        "links": {"self": links.bare(f"{PREFIX}/{kind}/{plugin.name}")},
        "actions": {},
    }


def _summary(target: type[object]) -> str:
    return (inspect.getdoc(target) or "").partition("\n\n")[0].replace("\n", " ")


def _consumed(target: type[WebhookDriver[Any, Any]]) -> Literal["push", "call"]:
    return "push" if target.consumes is PushEvent else "call"
