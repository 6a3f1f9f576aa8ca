"""Which media types are images, and the event body that several registries share.

Docker's registry (CNCF distribution) defined the event. Azure sends the same object, alone.
Source: distribution documentation, "Work with notifications".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

IMAGE_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    }
)
_HELM = "application/vnd.cncf.helm."
# A manifest with one of these inside is no image: charts, signatures, and the empty config of
# other artifacts (OCI image spec, "Guidelines for Artifact Usage").
_OTHER_CONTENT = (_HELM, "application/vnd.dev.cosign.", "application/vnd.oci.empty.")
_MAX_URL = 2048


def is_helm_chart(media_type: str) -> bool:
    """Whether a media type is one of Helm's."""
    return media_type.lower().startswith(_HELM)


def is_image(media_type: str | None, parts: Iterable[object] = ()) -> bool:
    """Whether a manifest is an image. Without a media type the tag decides: only manifests have it.

    Args:
        media_type: that of the manifest.
        parts: those of its config and layers, as far as the sender says them.
    """
    kind = (media_type or "").partition(";")[0].strip().lower()
    if kind and kind not in IMAGE_TYPES:
        return False
    return not any(isinstance(part, str) and part.startswith(_OTHER_CONTENT) for part in parts)


def read_event(
    event: Fields, registry: str | None, *, trust_url: bool = False
) -> PushEvent | Dropped:
    """Read one event of a registry.

    Args:
        event: the object with ``action`` and ``target``.
        registry: the host to use instead of the one in the event.
        trust_url: whether ``target.url`` may give the host if ``request.host`` does not.

    Raises:
        InvalidPayload: the event is malformed.
    """
    action = event.text("action", 64)
    if action != "push":
        reason = Reason.NOT_AN_IMAGE if action == "chart_push" else Reason.NOT_A_PUSH
        return Dropped(_subject(action, event.part("target")), reason)
    target = event.child("target")
    if not is_image(target.optional_text("mediaType"), _parts(target)):
        return Dropped(_subject(action, target), Reason.NOT_AN_IMAGE)
    return event_of(
        Pushed(
            host=registry or _host(event, target, trust_url),
            path=target.text("repository"),
            field=target.name("repository"),
            tag=target.optional_text("tag"),
            digest=target.optional_text("digest"),
            media_type=target.note("mediaType"),
            pushed_at=read_time(event.values.get("timestamp")),
            actor=event.part("actor").note("name"),
            source_id=event.note("id"),
        )
    )


def _parts(target: Fields) -> Iterator[object]:
    references = target.values.get("references")
    for part in references if isinstance(references, list) else []:
        if isinstance(part, dict):
            yield part.get("mediaType")


def _host(event: Fields, target: Fields, trust_url: bool) -> str:
    host = event.part("request").note("host")
    if not host and trust_url:
        host = _host_of(target.note("url", _MAX_URL) or "")
    if not host:
        raise InvalidPayload(
            f"`{event.name('request.host')}` is missing; set the receiver's `registry` option."
        )
    return host


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _subject(action: str, target: Fields) -> str:
    """Say what an event that is no push spoke of, as far as it says so itself."""
    tag, digest = target.note("tag"), target.note("digest")
    name = (
        f"{target.note('repository') or ''}{f':{tag}' if tag else f'@{digest}' if digest else ''}"
    )
    return f"{action} {name}".strip()
