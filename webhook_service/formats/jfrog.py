"""JFrog Artifactory's webhook of the domain "docker".

Source: JFrog documentation, "Webhook event types: domain docker". Calls about pushed, deleted and
promoted tags have the same shape. Older servers send it flat, without ``data`` and without the
address of the server. ``image_name`` may be only the last part of the name, so the name is read
from ``path``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pull_hosts import Place, Places, only_host, place_of
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.urls import host_of
from webhook_service.model.delivery import Reason

# OCI repositories hold images and charts alike, and the body does not tell them apart.
_IMAGE_TYPES = frozenset({"docker", "oci"})
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)
_MAX_PATH = 1024
_MAX_URL = 2048


class JFrogOptions(FormatOptions):
    """``registry`` is the host of Artifactory, if ``jpd_origin`` is not the right one."""

    repo_key_in_host: bool = Field(
        default=False,
        description="The repository key is a subdomain of the host, not the start of the path.",
    )
    repositories: Places = Field(
        default_factory=dict,
        description="Repository key -> host[/path] that clusters pull from, such as that of a "
        "virtual repository; keys that are not in it follow from the body and the other options.",
    )


class JFrog(Format[JFrogOptions]):
    """Reads one event."""

    Options = JFrogOptions
    sender = Sender(
        name="JFrog Artifactory",
        fields=(
            "domain",
            "event_type",
            "jpd_origin",
            "data.repo_key",
            "data.path",
            "data.tag",
            "data.sha256",
            "data.image_type",
            "userContext.id",
        ),
        verification=("jfrog",),
        digest="`data.sha256`",
        gaps="No time or id. The host may not be the one that clusters pull from: options "
        "`registry`, `repoKeyInHost`, `repositories`.",
        page="senders/jfrog.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: JFrogOptions) -> Parsed:
        event = Fields.of(read_known(body))
        nested = event.has("data")
        data = event.child("data") if nested else event
        domain = event.text("domain", 64) if nested else event.optional_text("domain") or "docker"
        if domain != "docker":
            return Parsed.of([Dropped(_subject(event, data), Reason.NOT_AN_IMAGE)])
        if event.text("event_type", 64) != "pushed":
            return Parsed.of([Dropped(_subject(event, data), Reason.NOT_A_PUSH)])
        return Parsed.of([_read(event, data, options)])

    def home(self, options: JFrogOptions) -> str | None:
        fixed = None if options.repo_key_in_host else options.registry
        return only_host(options.repositories, [fixed])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        fields = Fields(body if isinstance(body, dict) else {})
        return fields.has("event_type") and (fields.has("domain") or fields.has("repo_key"))


def _read(event: Fields, data: Fields, options: JFrogOptions) -> PushEvent | Dropped:
    if (data.optional_text("image_type") or "docker").lower() not in _IMAGE_TYPES:
        return Dropped(_subject(event, data), Reason.NOT_AN_IMAGE)
    # …/<tag>/manifest.json, or list.manifest.json
    name, _, folder = data.text("path", _MAX_PATH).rpartition("/")[0].rpartition("/")
    if not name or not folder:
        raise InvalidPayload(f"`{data.name('path')}` is not the path of a manifest.")
    place = _place(event, data.text("repo_key"), options)
    sha256 = data.optional_text("sha256")
    return event_of(
        Pushed(
            host=place.host,
            path=place.path(name),
            field=data.name("path"),
            tag=data.optional_text("tag"),
            digest=f"sha256:{sha256.lower()}" if sha256 else None,
            actor=event.part("userContext").note("id"),
        )
    )


def _place(event: Fields, key: str, options: JFrogOptions) -> Place:
    if known := options.repositories.get(key):
        return place_of(known)
    host = options.registry or _origin(event)
    if not options.repo_key_in_host:
        return Place(host, key)
    if not _LABEL.fullmatch(key):
        raise InvalidPayload("The repository key cannot be part of a host name.")
    return Place(f"{key}.{host}")


def _origin(event: Fields) -> str:
    host = host_of(event.note("jpd_origin", _MAX_URL) or "")
    if not host:
        raise InvalidPayload("`jpd_origin` is missing; set the receiver's `registry` option.")
    return host


def _subject(event: Fields, data: Fields) -> str:
    place = "/".join(filter(None, (data.note("repo_key"), data.note("path"))))
    return f"{event.note('event_type') or '?'} {place}".strip()
