"""From what a sender wrote to a ``PushEvent``: the checks that all formats share.

Grammar of repositories, tags and digests: https://github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped
from webhook_service.images import (
    Image,
    InvalidImage,
    is_digest,
    is_tag,
    normalise_registry,
    parse_repository,
)
from webhook_service.model.delivery import Reason

_NAME = re.compile(r"[A-Za-z0-9._:/\[\]-]+")
# As in the examples of Amazon's and Google's documentation, and of relays that shorten for people.
_SHORTENED = re.compile(
    r"(?:sha256:[0-9a-fA-F]{1,63}|sha512:[0-9a-fA-F]{1,127})(?:(?:\.\.\.?|…)[0-9a-fA-F]{0,63})?"
)
_PSEUDO_TAG = re.compile(r"sha(?:256|512):[0-9a-fA-F]+")
# Where clients keep what belongs to an image by digest: cosign's signatures, attestations and
# SBOMs, and the referrers index of the OCI distribution spec ("Referrers Tag Schema").
_ATTACHED_TAG = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{64,128})(?:\..*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A push as the sender wrote it, not checked; ``field`` is the field with the repository."""

    host: str
    path: str
    field: str
    tag: str | None = None
    digest: str | None = None
    media_type: str | None = None
    pushed_at: datetime | None = None
    actor: str | None = None
    source_id: str | None = None


def event_of(pushed: Pushed) -> PushEvent | Dropped:
    """Check and normalise a push. Drop it if it has no tag of its own, or is no image.

    A shortened digest names no image. The tag does, so the push is one without a digest.

    Raises:
        InvalidPayload: no registry sends such a repository, tag or digest.
    """
    image = image_of(pushed.host, pushed.path, pushed.field)
    digest = pushed.digest or None
    if digest and not is_digest(digest):
        if not _SHORTENED.fullmatch(digest):
            raise InvalidPayload(f"The digest of the push to `{pushed.field}` is not a digest.")
        digest = None
    if not pushed.tag or _PSEUDO_TAG.fullmatch(pushed.tag):
        return Dropped(str(image.at(None, digest)), Reason.UNTAGGED)
    if not is_tag(pushed.tag):
        raise InvalidPayload(f"The tag of the push to `{pushed.field}` is not a tag.")
    if _ATTACHED_TAG.fullmatch(pushed.tag):
        return Dropped(str(image.at(pushed.tag, digest)), Reason.NOT_AN_IMAGE)
    return PushEvent(
        registry=image.registry,
        repository=image.repository,
        tag=pushed.tag,
        digest=digest,
        media_type=pushed.media_type,
        pushed_at=pushed.pushed_at,
        actor=pushed.actor,
        source_id=pushed.source_id,
    )


def image_of(host: str, path: str, field: str) -> Image:
    """Normalise a repository: lower case, and ``library/`` before Docker Hub's own images.

    Raises:
        InvalidPayload: the path is no repository, or the host no registry host.
    """
    # Before lower(), which turns some non-ASCII letters into ASCII ones.
    if not _NAME.fullmatch(f"{host}/{path}"):
        raise InvalidPayload(f"`{field}` is not a repository name.")
    host = normalise_registry(host)
    try:
        image = parse_repository(f"{host}/{path.lower()}")
    except InvalidImage:
        raise InvalidPayload(f"`{field}` is not a repository name.") from None
    if image.registry != host:
        # A bare word such as `registry` would silently become a Docker Hub namespace.
        raise InvalidPayload(
            f"The registry of `{field}` is not a host as image references write it; "
            "set the receiver's `registry` option."
        )
    return image


def split_host(name: str) -> tuple[str | None, str]:
    """Split the registry host off a repository name, by Docker's rule for the first part."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return first, rest
    return None, name


def split_reference(reference: str) -> tuple[str, str | None, str | None]:
    """Split an image reference into name, tag and digest, unchecked."""
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag or None, digest or None
    return name, None, digest or None
