"""zot's events: CloudEvents of its extension ``events``, sent to a sink of the type ``http``.

Source: zotregistry.dev, "Event Support for zot"; project-zot/zot, ``pkg/extensions/events``. An
event names the repository and what it was pushed as (a tag, or a digest), but no host. The words
in front of ``image.updated`` can be configured (``typePrefix``). zot sends an event once: one that
is not taken is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import forms
from webhook_service.formats.reading.cloud_event import STRUCTURED, data_of, read_cloud_event
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import is_image
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

SOURCE = "zotregistry.dev"
_PREFIX = "zotregistry."
_PUSH = ".image.updated"


class Zot(Format):
    """Reads one event."""

    sender = Sender(
        name="zot",
        fields=(
            "ce-type",
            "name",
            "reference",
            "digest",
            "mediaType",
            "manifest",
            "actor.name",
            "ce-source",
            "ce-id",
            "ce-time",
        ),
        verification=("basic", "header"),
        identity="`ce-source` and `ce-id`",
        time="`ce-time`",
        digest="`digest`",
        gaps="Nothing is signed. No host: option `registry`. An event is sent once: what is "
        "not taken is lost.",
        page="senders/zot.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        event = read_cloud_event(body, headers, read_known)
        kind, source = event.text("type"), event.text("source", 127)
        data = Fields.of(data_of(event), event.name("data"))
        if not kind.endswith(_PUSH):
            return Parsed.of([Dropped(_subject(kind, data), Reason.NOT_A_PUSH)])
        if not is_image(data.optional_text("mediaType"), _parts(data)):
            return Parsed.of([Dropped(_subject(kind, data), Reason.NOT_AN_IMAGE)])
        return Parsed.of(
            [_read(event, data, f"{source} {event.text('id', 127)}", options.registry)]
        )

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        """With a prefix of one's own the source tells; with both changed nothing does."""
        event = body if isinstance(body, dict) else {}
        binary = {"type": headers.get("ce-type"), "source": headers.get("ce-source")}
        said = Fields(event if forms.media_type(headers) == STRUCTURED else binary)
        return (said.note("type") or "").startswith(_PREFIX) or said.note("source") == SOURCE


def _read(event: Fields, data: Fields, identity: str, host: str | None) -> PushEvent | Dropped:
    if host is None:
        raise InvalidPayload(
            "zot does not say which host it is; set the receiver's `registry` option."
        )
    return event_of(
        Pushed(
            host=host,
            path=data.text("name"),
            field=data.name("name"),
            tag=data.optional_text("reference"),
            digest=data.optional_text("digest"),
            media_type=data.note("mediaType"),
            pushed_at=read_time(event.values.get("time")),
            actor=data.part("actor").note("name"),
            source_id=identity if identity.isprintable() else None,
        )
    )


def _parts(data: Fields) -> list[object]:
    """The media type of the config: zot gives the whole manifest, as text."""
    text = data.values.get("manifest")
    try:
        manifest = Fields.of(read_known(text.encode() if isinstance(text, str) else b""))
        return [manifest.part("config").note("mediaType")]
    except (InvalidPayload, UnicodeEncodeError):
        return []


def _subject(kind: str, data: Fields) -> str:
    name, reference = data.note("name"), data.note("reference")
    return f"{kind} {name or ''}{f':{reference}' if reference else ''}".strip()
