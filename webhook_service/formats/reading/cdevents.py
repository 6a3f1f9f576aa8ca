"""CDEvents' "artifact published", and the purl in it that names an image.

Sources: the CDEvents specification, "Continuous Integration Events" (``subject.id`` is a purl)
and "CloudEvents Binding" (the envelope repeats the type in the context); the purl specification,
type ``oci``: the name is the last part of the repository, and ``repository_url`` says where it is.
Some tools write that URL with the name at its end, as the specification does. Others, such as
GUAC, write it without the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of, split_host
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

PREFIX = "dev.cdevents."
PUBLISHED = PREFIX + "artifact.published."
_MAX_PURL = 2048
_OCI = "pkg:oci/"


@dataclass(frozen=True, slots=True)
class Purl:
    """The parts of an OCI purl that matter here."""

    name: str
    digest: str | None
    repository_url: str | None
    tag: str | None


def read_published(
    event_type: str, data: Fields, registry: str | None, source_id: str | None
) -> PushEvent | Dropped:
    """Read one CDEvent.

    Args:
        event_type: the type of the CloudEvent around it.
        registry: the host to use instead of the purl's.

    Raises:
        InvalidPayload: the event is malformed, or its type is not the one of its envelope.
    """
    context = data.child("context")
    if context.text("type") != event_type:
        # Who filters by the envelope and who reads the body must not see two events.
        raise InvalidPayload(f"`{context.name('type')}` is not the type of the CloudEvent.")
    # The version in the type moves; what is read here is in all of them.
    if not event_type.startswith(PUBLISHED):
        return Dropped(event_type, Reason.NOT_A_PUSH)
    subject = data.child("subject")
    field, text = subject.name("id"), subject.text("id", _MAX_PURL)
    if not text.lower().startswith(_OCI):
        return Dropped(text, Reason.NOT_AN_IMAGE)
    purl = parse_purl(text, field)
    host, path = _place(purl, registry, field)
    return event_of(
        Pushed(
            host=host,
            path=path,
            field=field,
            tag=purl.tag,
            digest=purl.digest,
            pushed_at=read_time(context.values.get("timestamp")),
            actor=subject.part("content").note("user"),
            source_id=source_id,
        )
    )


def parse_purl(text: str, field: str) -> Purl:
    """Read a purl of the type ``oci``.

    Raises:
        InvalidPayload: it is malformed; the message names ``field``.
    """
    rest = text[len(_OCI) :].partition("#")[0]
    rest, _, query = rest.partition("?")
    name, _, version = rest.partition("@")
    qualifiers: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not equals or key.lower() in qualifiers:
            raise InvalidPayload(f"`{field}` is a purl with a malformed or repeated qualifier.")
        qualifiers[key.lower()] = _decode(value, field)
    name = _decode(name, field)
    if not name or "/" in name:
        raise InvalidPayload(f"`{field}` is a purl of an image without a name, or with two.")
    return Purl(
        name=name,
        digest=_decode(version, field) or None,
        repository_url=qualifiers.get("repository_url") or None,
        tag=qualifiers.get("tag") or None,
    )


def _place(purl: Purl, registry: str | None, field: str) -> tuple[str, str]:
    url = (purl.repository_url or "").partition("://")[2] or purl.repository_url or ""
    host, path = split_host(f"{url.strip('/')}/")
    path = path.strip("/")
    if path.rpartition("/")[2].lower() != purl.name.lower():
        path = f"{path}/{purl.name}".lstrip("/")
    if not (registry or host):
        raise InvalidPayload(
            f"The purl in `{field}` names no registry in its `repository_url`; set the "
            "receiver's `registry` option."
        )
    return registry or host or "", path


def _decode(text: str, field: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if not decoded.isprintable():
        raise InvalidPayload(f"`{field}` is a purl with characters that cannot be shown.")
    return decoded
