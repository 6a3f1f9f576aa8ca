"""Cloudsmith's webhooks: one event of a package, in the three formats without a template.

Source: docs.cloudsmith.com, "Webhooks". A Docker package is a manifest: its version is the digest
in hexadecimal, and its tags are the tags. The parts of a multi-platform image are packages without
tags. ``package.synced`` comes when the image can be pulled; ``package.created`` is too early.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import form_or_json
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pull_hosts import Place, Places, only_host, place_of
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

HOST = "docker.cloudsmith.io"
SIGNATURE = "x-cloudsmith-signature"
MAX_TAGS, MAX_EVENTS = 100, 100
_SYNCED, _TAGGED = "package.synced", "package.tags_updated"
_HEX = re.compile(r"[0-9a-f]{64}")
_EVERY_CALL = ("event_id", "trigger_id", "webhook_id")


class CloudsmithOptions(FormatOptions):
    """``registry`` is the host of repositories not in ``repositories``."""

    repositories: Places = Field(
        default_factory=dict,
        description="OWNER/REPOSITORY in Cloudsmith -> host[:port][/path] that clusters pull from.",
    )


class Cloudsmith(Format[CloudsmithOptions]):
    """Reads one event, or an array of them."""

    Options = CloudsmithOptions
    sender = Sender(
        name="Cloudsmith",
        fields=(
            "meta.event_id",
            "data.format",
            "data.namespace",
            "data.repository",
            "data.name",
            "data.tags.version",
            "data.version",
            "context.old_tags",
            "context.new_tags",
            "meta.event_at",
            "meta.trigger_id",
            "data.uploader",
        ),
        verification=("cloudsmith", "header"),
        identity="`meta.trigger_id`",
        time="`meta.event_at`",
        digest="`data.version`",
        gaps="No host: with a domain of one's own the options `registry`, `repositories`. A body "
        "with a template of one's own is not read.",
        page="senders/cloudsmith.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: CloudsmithOptions) -> Parsed:
        said = form_or_json.loads(body, headers)
        # In a form the JSON is a text once more.
        said = read_known(said.encode()) if isinstance(said, str) else said
        events = Fields({"events": said if isinstance(said, list) else [said]})
        found = [
            item
            for path, value in events.elements("events", MAX_EVENTS)
            for item in _read(Fields.of(value, path if isinstance(said, list) else ""), options)
        ]
        return Parsed.of(found)

    def home(self, options: CloudsmithOptions) -> str | None:
        return only_host(options.repositories, [options.registry or HOST])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        event = body[0] if isinstance(body, list) and body else body
        meta = Fields(event if isinstance(event, dict) else {}).part("meta")
        return SIGNATURE in headers or all(meta.has(name) for name in _EVERY_CALL)


def _read(event: Fields, options: CloudsmithOptions) -> Iterator[PushEvent | Dropped]:
    meta = event.child("meta")
    kind = meta.text("event_id", 64)
    if kind not in (_SYNCED, _TAGGED):
        yield Dropped(_subject(kind, event.part("data")), Reason.NOT_A_PUSH)
        return
    package = event.child("data")
    if package.text("format", 64) != "docker":
        yield Dropped(_subject(kind, package), Reason.NOT_AN_IMAGE)
        return
    tags = _tags(event, package, kind)
    if not tags:
        reason = Reason.UNTAGGED if kind == _SYNCED else Reason.NOT_A_PUSH
        yield Dropped(_subject(kind, package), reason)
    place, version = _place(package, options), package.optional_text("version") or ""
    for tag in tags:
        yield event_of(
            Pushed(
                host=place.host,
                path=place.path(package.text("name")),
                field=package.name("name"),
                tag=tag,
                digest=f"sha256:{version}" if _HEX.fullmatch(version) else None,
                pushed_at=read_time(meta.values.get("event_at")),
                actor=package.note("uploader"),
                source_id=meta.note("trigger_id"),
            )
        )


def _tags(event: Fields, package: Fields, kind: str) -> list[str]:
    """The image's tags; where tags were changed, those that are new."""
    tags = _texts(package.part("tags"), "version")
    if kind == _SYNCED:
        return tags
    context = event.part("context")
    old, new = _texts(context, "old_tags"), _texts(context, "new_tags")
    return [tag for tag in tags if tag in new and tag not in old]


def _texts(fields: Fields, key: str) -> list[str]:
    if not fields.has(key):
        return []
    found: list[Any] = [value for _, value in fields.elements(key, MAX_TAGS)]
    if not all(isinstance(value, str) for value in found):
        raise InvalidPayload(f"`{fields.name(key)}` must be an array of texts.")
    return found


def _place(package: Fields, options: CloudsmithOptions) -> Place:
    repository = f"{package.text('namespace')}/{package.text('repository')}"
    if known := options.repositories.get(repository):
        return place_of(known)
    return Place(options.registry or HOST, repository)


def _subject(kind: str, package: Fields) -> str:
    parts = [package.note(key) for key in ("namespace", "repository", "name")]
    return f"{kind} {'/'.join(part for part in parts if part)}".strip()
