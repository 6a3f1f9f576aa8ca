"""Gitea's and Forgejo's packages: the event ``package`` of container packages.

Source: go-gitea/gitea, ``structs.Package`` and the webhook's delivery; Forgejo documentation,
"Webhooks". Every call also carries GitHub's headers, so the headers of Gitea and Forgejo decide.
Each manifest of a multi-platform push is a package version whose name is its digest. The index is
a version whose name is its tag. When a tag is pushed again, its version is deleted and created
anew, with the time of the last push. Versions are in lower case. So two tags that differ only in
capitals look the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import form_or_json
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.times import read_time
from webhook_service.formats.reading.urls import host_of
from webhook_service.images import is_digest
from webhook_service.model.delivery import Reason

_OWN_EVENTS = ("x-gitea-event", "x-forgejo-event")
_EVENTS = (*_OWN_EVENTS, "x-github-event")
_DELIVERIES = ("x-gitea-delivery", "x-forgejo-delivery", "x-github-delivery")
_MAX_URL = 2048


class Gitea(Format):
    """Reads one event, as JSON or as a form. The registry is the host of ``package.html_url``."""

    sender = Sender(
        name="Gitea and Forgejo",
        fields=(
            "action",
            "package.type",
            "package.html_url",
            "package.owner.login",
            "package.name",
            "package.version",
            "package.created_at",
            "sender.login",
            "X-Gitea-Event",
            "X-Gitea-Delivery",
        ),
        verification=("gitea",),
        identity="`X-Gitea-Delivery`",
        time="`package.created_at`",
        gaps="No digest. Versions are in lower case, also for tags with capitals. The headers "
        "with event and id are not signed.",
        page="senders/gitea.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        event = _first(headers, _EVENTS)
        if event and event != "package":
            return Parsed(dropped=(Dropped(event, Reason.NOT_A_PUSH),))
        call = Fields.of(form_or_json.loads(body, headers))
        return Parsed.of([_read(call, _first(headers, _DELIVERIES), options.registry)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        return any(name in headers for name in _OWN_EVENTS)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next(filter(None, (Fields(headers).note(name) for name in names)), None)


def _read(call: Fields, delivery: str | None, registry: str | None) -> PushEvent | Dropped:
    action, package = call.text("action", 64), call.child("package")
    if package.has("package_version"):
        raise InvalidPayload("The body is GitHub's; the receiver's format is `gitea`.")
    subject = f"{call.note('action') or '?'} {package.note('name') or ''}".strip()
    if action != "created":
        return Dropped(subject, Reason.NOT_A_PUSH)
    if package.text("type", 64) != "container":
        return Dropped(subject, Reason.NOT_AN_IMAGE)
    version = package.text("version")
    return event_of(
        Pushed(
            host=registry or _host(package),
            path=f"{package.child('owner').text('login')}/{package.text('name')}",
            field=package.name("name"),
            tag=version,
            # Only of a version without a tag, which is dropped under this name.
            digest=version if is_digest(version) else None,
            pushed_at=read_time(package.values.get("created_at")),
            actor=call.part("sender").note("login"),
            source_id=delivery,
        )
    )


def _host(package: Fields) -> str:
    host = host_of(package.note("html_url", _MAX_URL) or "")
    if host is None:
        raise InvalidPayload(
            f"`{package.name('html_url')}` names no host; set the receiver's `registry` option."
        )
    return host
