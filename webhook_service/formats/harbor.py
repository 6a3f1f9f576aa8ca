"""Harbor's webhook: version 1, version 2 in its default format, and version 2 as CloudEvents.

Source: goharbor/harbor, its notifier's formats and the webhook of artifacts. All three carry the
same object, under ``event_data`` or ``data``. A push without a tag has its digest in the field of
the tag. The default format has no id, but a repeated call has the same time. A repeated CloudEvent
has the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_seconds, read_time
from webhook_service.model.delivery import Reason

MAX_RESOURCES = 100

_PUSHES = frozenset({"PUSH_ARTIFACT", "pushImage", "harbor.artifact.pushed"})
_CHARTS = frozenset({"UPLOAD_CHART", "uploadChart"})
_MAX_URL = 1024


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What all resources of one call share."""

    repository: str
    pushed_at: datetime | None
    actor: str | None
    source_id: str | None
    registry: str | None


class Harbor(Format):
    """Reads one event. The registry is the host in ``resource_url``."""

    sender = Sender(
        name="Harbor",
        fields=(
            "type",
            "event_data.resources[].resource_url",
            "event_data.repository.repo_full_name",
            "event_data.resources[].tag",
            "event_data.resources[].digest",
            "occur_at",
            "operator",
        ),
        verification=("header",),
        identity="image and `occur_at`; of CloudEvents `source` and `id`",
        time="`occur_at`; of CloudEvents `time`",
        digest="`event_data.resources[].digest`",
        gaps="Nothing is signed. The default format has no id.",
        page="senders/harbor.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        event = Fields.of(read_known(body))
        kind = event.text("type", 128)
        data = "data" if event.has("specversion") else "event_data"
        if kind not in _PUSHES:
            reason = Reason.NOT_AN_IMAGE if kind in _CHARTS else Reason.NOT_A_PUSH
            return Parsed(dropped=(Dropped(_subject(event, data), reason),))
        occasion = _occasion(event, event.child(data).child("repository"), options.registry)
        resources = event.child(data).elements("resources", MAX_RESOURCES)
        return Parsed.of(_read(path, resource, occasion) for path, resource in resources)

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        event = Fields(body if isinstance(body, dict) else {})
        if event.has("specversion"):
            return (event.note("type") or "").startswith("harbor.")
        return event.has("event_data") and event.has("occur_at")


def _subject(event: Fields, data: str) -> str:
    repository = event.part(data).part("repository").note("repo_full_name")
    return f"{event.note('type') or '?'} {repository or ''}".strip()


def _occasion(event: Fields, repository: Fields, registry: str | None) -> _Occasion:
    source, identity = event.note("source", 127), event.note("id", 127)
    cloud = event.has("specversion")
    return _Occasion(
        repository=repository.text("repo_full_name"),
        pushed_at=read_time(event.values.get("time"))
        if cloud
        else read_seconds(event.values.get("occur_at")),
        actor=event.note("operator"),
        # The CloudEvents specification makes the two unique only together.
        source_id=f"{source} {identity}" if cloud and source and identity else None,
        registry=registry,
    )


def _read(path: str, resource: object, occasion: _Occasion) -> PushEvent | Dropped:
    try:
        fields = Fields.of(resource, path)
        return event_of(
            Pushed(
                host=occasion.registry or _host(fields),
                path=occasion.repository,
                field=fields.name("resource_url"),
                tag=fields.optional_text("tag"),
                digest=fields.optional_text("digest"),
                pushed_at=occasion.pushed_at,
                actor=occasion.actor,
                source_id=occasion.source_id,
            )
        )
    except InvalidPayload as exc:
        return Dropped(exc.message, Reason.MALFORMED)


def _host(resource: Fields) -> str:
    """The first part of ``host/project/repository:tag``, which has no scheme."""
    host, slash, _ = (resource.optional_text("resource_url", _MAX_URL) or "").partition("/")
    if not (host and slash):
        raise InvalidPayload(
            f"`{resource.name('resource_url')}` names no host; set the receiver's "
            "`registry` option."
        )
    return host
