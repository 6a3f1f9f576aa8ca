"""GitHub Packages: the events ``package`` and ``registry_package`` of container packages.

Source: GitHub documentation, "Webhook events and payloads", and octokit/webhooks. The two events
carry the same object, each under its own name. Each manifest of a multi-platform push is an event
of its own. Only the index has a tag, and it comes last. ``package_version.name`` and ``.version``
are digests. The times of a version are mostly zero. The times of the package are those of its
first push, so they cannot order pushes.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import form_or_json
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import IMAGE_TYPES, is_helm_chart
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.times import read_time
from webhook_service.images import is_digest
from webhook_service.model.delivery import Reason

GHCR = "ghcr.io"
EVENTS = ("package", "registry_package")

_ACTIONS = frozenset({"published", "updated"})
_CONTAINERS = frozenset({"container", "docker"})
_GITEA_HEADERS = ("x-gitea-event", "x-forgejo-event")
_MAX_URL = 1024


class GitHub(Format):
    """Reads one event, as JSON or as a form. ``registry`` is the host of your own GitHub server."""

    sender = Sender(
        name="GitHub Packages",
        fields=(
            "package.package_version.package_url",
            "package.owner.login",
            "package.name",
            "package.package_version.container_metadata.tag",
            "package.package_version.updated_at",
            "sender.login",
            "X-GitHub-Event",
            "X-GitHub-Delivery",
        ),
        verification=("github",),
        identity="`X-GitHub-Delivery`",
        time="`package.package_version.updated_at` (mostly zero)",
        digest="`package.package_version.container_metadata.tag.digest`",
        gaps="The headers with event and id are not signed.",
        page="senders/github.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        if any(name in headers for name in _GITEA_HEADERS):
            raise InvalidPayload("Gitea or Forgejo calls; the receiver's format is `github`.")
        event = Fields(headers).note("x-github-event", 64)
        if event and event not in EVENTS:
            return Parsed(dropped=(Dropped(event, Reason.NOT_A_PUSH),))
        call = Fields.of(form_or_json.loads(body, headers))
        if not event and call.has("zen") and call.has("hook_id"):
            return Parsed(dropped=(Dropped("ping", Reason.NOT_A_PUSH),))
        delivery = Fields(headers).note("x-github-delivery")
        return Parsed.of([_read(call, _package(call), delivery, options.registry)])

    def home(self, options: FormatOptions) -> str:
        return options.registry or GHCR

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        if any(name in headers for name in _GITEA_HEADERS):
            return False
        call = Fields(body if isinstance(body, dict) else {})
        named = any(call.part(name).has("package_version") for name in EVENTS)
        return named or "x-github-event" in headers


def _package(call: Fields) -> Fields:
    return call.child(next((name for name in EVENTS if call.has(name)), EVENTS[0]))


def _read(
    call: Fields, package: Fields, delivery: str | None, registry: str | None
) -> PushEvent | Dropped:
    action = call.text("action", 64)
    subject = f"{call.note('action') or '?'} {package.note('name') or ''}".strip()
    is_container = _is_container(package)
    if action not in _ACTIONS:
        return Dropped(subject, Reason.NOT_A_PUSH)
    version = package.part("package_version")
    metadata = version.part("container_metadata")
    if not (is_container and _is_image(metadata.part("manifest"))):
        return Dropped(subject, Reason.NOT_AN_IMAGE)
    host, path, field = _place(package, version, registry)
    tag, digest = _tag_and_digest(metadata)
    return event_of(
        Pushed(
            host=host,
            path=path,
            field=field,
            tag=tag,
            digest=digest,
            media_type=metadata.part("manifest").note("media_type"),
            pushed_at=read_time(version.values.get("updated_at"))
            or read_time(version.values.get("created_at")),
            actor=call.part("sender").note("login"),
            source_id=delivery,
        )
    )


def _is_container(package: Fields) -> bool:
    """Either field says so, in either case; GitHub's own example has an ``npm`` beside it."""
    kinds = {package.optional_text(key, 64) for key in ("ecosystem", "package_type")} - {None}
    if not kinds:
        raise InvalidPayload(f"`{package.name('package_type')}` is missing.")
    return any(kind is not None and kind.lower() in _CONTAINERS for kind in kinds)


def _is_image(manifest: Fields) -> bool:
    media_type = manifest.note("media_type")
    config = manifest.part("config").note("media_type")
    if config and is_helm_chart(config):
        return False
    return media_type is None or media_type.lower() in IMAGE_TYPES


def _place(package: Fields, version: Fields, registry: str | None) -> tuple[str, str, str]:
    """Host, repository, and the field that named it."""
    host, slash, rest = (version.optional_text("package_url", _MAX_URL) or "").partition("/")
    if not slash:
        return registry or GHCR, f"{_owner(package)}/{package.text('name')}", package.name("name")
    if registry is None and host.lower() != GHCR:
        # A namesake on ghcr.io may be anybody's.
        raise InvalidPayload(
            f"`{version.name('package_url')}` is not in {GHCR}; set the receiver's "
            "`registry` option."
        )
    return registry or GHCR, _without_tag(rest), version.name("package_url")


def _owner(package: Fields) -> str:
    """The account; ``namespace`` may be "owner/repo", and the repository is no part of the name."""
    login = package.part("owner").optional_text("login")
    return login or package.text("namespace").partition("/")[0]


def _without_tag(path: str) -> str:
    """Cut the tag, which is empty for a push by digest: ``owner/name:``."""
    parents, slash, name = path.partition("@")[0].rpartition("/")
    return f"{parents}{slash}{name.partition(':')[0]}"


def _tag_and_digest(metadata: Fields) -> tuple[str | None, str | None]:
    part = metadata.part("tag")
    tag = part.optional_text("name")
    digest = part.optional_text("digest") or metadata.part("manifest").optional_text("digest")
    # Examples without a tag have shortened digests, and nothing is lost without them.
    return tag, digest if tag or (digest and is_digest(digest)) else None
