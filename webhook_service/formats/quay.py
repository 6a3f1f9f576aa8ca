"""Quay's notification "Push to Repository", of quay.io and of your own Quay server.

Source: quay/quay, notifications and its event ``repo_push``. The body names one repository and
all tags that the push changed. It has no digest, time or id. Notifications about builds,
vulnerability scans and mirrors look the same, but have no ``updated_tags``. Quay switches a
notification off after three refusals. So if a tag cannot be read, only that tag is dropped.
The button "Test Notification" sends the real repository with the tags ``latest`` and ``foo``; its
sample alone has ``pruned_image_count`` (notifications/notificationevent.py), and is no push.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of, image_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.images import Image
from webhook_service.model.delivery import Reason

MAX_TAGS = 1000

_TAGS = "updated_tags"
_URL = "docker_url"
_SAMPLE = "pruned_image_count"


class Quay(Format):
    """Reads one push. It may have several tags."""

    sender = Sender(
        name="Quay",
        fields=("docker_url", "updated_tags"),
        verification=("mtls", "none"),
        gaps="No digest, time or id. Notifications with a template of one's own are not read. "
        "Quay stops calling after three refusals.",
        page="senders/quay.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        fields = Fields.of(read_known(body))
        if not fields.has(_TAGS):
            return Parsed(dropped=(_other(fields),))
        image = _image(fields, options.registry)
        if fields.has(_SAMPLE):
            return Parsed(dropped=(Dropped(str(image), Reason.NOT_A_PUSH),))
        tags = list(_tags(fields))
        if not tags:
            return Parsed(dropped=(Dropped(str(image), Reason.UNTAGGED),))
        return Parsed.of(_read(image, field, tag) for field, tag in tags)

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        return isinstance(body, dict) and _URL in body


def _other(fields: Fields) -> Dropped:
    """A notification of something else, by what it is about."""
    if not (fields.has(_URL) or fields.has("homepage")):
        raise InvalidPayload(f"`{_URL}` is missing: the body is no notification of Quay's.")
    return Dropped(
        fields.note(_URL) or fields.note("homepage") or "notification", Reason.NOT_A_PUSH
    )


def _image(fields: Fields, registry: str | None) -> Image:
    """The first part is the host even without a dot: Quay always writes its own name there."""
    host, _, path = fields.text(_URL, 512).partition("/")
    return image_of(registry or host, path, _URL)


def _tags(fields: Fields) -> Iterator[tuple[str, object]]:
    """A list of names; early versions sent an object with the image ids as its values."""
    value = fields.values[_TAGS]
    if not isinstance(value, dict):
        return fields.elements(_TAGS, MAX_TAGS)
    if len(value) > MAX_TAGS:
        raise InvalidPayload(f"`{_TAGS}` has more than {MAX_TAGS} fields.")
    return ((f"{_TAGS}.*", tag) for tag in value)


def _read(image: Image, field: str, tag: object) -> PushEvent | Dropped:
    if not isinstance(tag, str):
        return Dropped(f"`{field}` must be a text.", Reason.MALFORMED)
    try:
        return event_of(Pushed(host=image.registry, path=image.repository, field=_URL, tag=tag))
    except InvalidPayload:
        return Dropped(f"`{field}` is not a tag.", Reason.MALFORMED)
