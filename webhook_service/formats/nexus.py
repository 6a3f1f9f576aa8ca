"""Sonatype Nexus Repository 3's repository webhooks.

Source: Sonatype documentation, "Webhooks: Example headers and payloads". A component is a tag.
Assets (layers and manifests) have webhooks of their own. The body names the repository in Nexus
and the image in it, but no host. So the host is an option. A proxy repository "creates" a
component when somebody pulls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pull_hosts import Place, Places, only_host, place_of
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

WEBHOOK_ID = "x-nexus-webhook-id"
COMPONENT, ASSET = "rm:repository:component", "rm:repository:asset"
_PUSHES = frozenset({"CREATED", "UPDATED"})
_ZONE = re.compile(r"([+-][0-9]{2})([0-9]{2})\Z")


class NexusOptions(FormatOptions):
    """Nexus names no host. ``registry`` is the host of repositories not in ``repositories``."""

    repositories: Places = Field(
        default_factory=dict,
        description="Name of a repository in Nexus -> host[:port][/path] that clusters pull from.",
    )


class Nexus(Format[NexusOptions]):
    """Reads one event. The id of a call is no id of a push: Nexus makes a new one for each call."""

    Options = NexusOptions
    sender = Sender(
        name="Sonatype Nexus Repository 3",
        fields=(
            "action",
            "repositoryName",
            "component.format",
            "component.name",
            "component.version",
            "timestamp",
            "initiator",
            "X-Nexus-Webhook-Id",
        ),
        verification=("nexus",),
        identity="image and `timestamp`",
        time="`timestamp`",
        gaps="No digest and no host: options `registry`, `repositories`. One push may be 25 calls. "
        "Proxy repositories report pulls as pushes. The header with the kind is not signed.",
        page="senders/nexus.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: NexusOptions) -> Parsed:
        event, meta = Fields.of(read_known(body)), Fields(headers)
        kind = (meta.note(WEBHOOK_ID) or (ASSET if event.has("asset") else COMPONENT)).lower()
        if kind == ASSET:
            return Parsed.of([Dropped(_subject(event, "asset"), Reason.NOT_AN_IMAGE)])
        if kind != COMPONENT:
            return Parsed.of([Dropped(kind, Reason.NOT_A_PUSH)])
        return Parsed.of([_read(event, options)])

    def home(self, options: NexusOptions) -> str | None:
        return only_host(options.repositories, [options.registry] if options.registry else [])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        return WEBHOOK_ID in headers


def _read(event: Fields, options: NexusOptions) -> PushEvent | Dropped:
    action, component = event.text("action", 64), event.child("component")
    if action.upper() not in _PUSHES:
        return Dropped(_subject(event, "component"), Reason.NOT_A_PUSH)
    if component.text("format", 64) != "docker":
        return Dropped(_subject(event, "component"), Reason.NOT_AN_IMAGE)
    place = _place(event, options)
    return event_of(
        Pushed(
            host=place.host,
            path=place.path(component.text("name").removeprefix("/")),
            field=component.name("name"),
            tag=component.optional_text("version"),
            pushed_at=_time(event),
            actor=event.note("initiator"),
        )
    )


def _place(event: Fields, options: NexusOptions) -> Place:
    if known := options.repositories.get(event.text("repositoryName")):
        return place_of(known)
    if options.registry:
        return Place(options.registry)
    raise InvalidPayload(
        f"`{event.name('repositoryName')}` is not in the receiver's `repositories` option, which "
        "says what registry host each repository of Nexus has; `registry` is that of all others."
    )


def _time(event: Fields) -> datetime | None:
    """Nexus writes the zone without a colon (``+0000``)."""
    return read_time(_ZONE.sub(r"\1:\2", event.note("timestamp") or ""))


def _subject(event: Fields, key: str) -> str:
    item = event.part(key)
    tag = f":{version}" if (version := item.note("version")) else ""
    return f"{event.note('action') or '?'} {item.note('name') or ''}{tag}".strip()
