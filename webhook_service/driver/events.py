"""Events: what a driver acts on, a pushed image or a raw call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from webhook_service.images import Image

_PRIVATE = frozenset(
    "authorization connection content-length cookie cookie2 expect forwarded host keep-alive te "
    "trailer transfer-encoding upgrade via x-real-ip".split()
)
_PRIVATE_PREFIXES = ("proxy-", "x-api-", "x-forwarded-", "set-cookie")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an image says of itself; None where it says nothing.

    Source: OCI image specification, "Annotations", ``org.opencontainers.image.*``.

    Attributes:
        source: where its source code is, as a URL.
        revision: of which commit it was built.
        created: when it was built, as it says.
        size: of its config and layers as they are pulled, in bytes. Of an image for several
            platforms it is that of the first one.
    """

    source: str | None = None
    revision: str | None = None
    created: str | None = None
    version: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEvent:
    """One pushed image. ``pushed_at`` is the sender's time, ``source_id`` the sender's id.

    ``facts`` are read at the registry, if the receiver asks it; else they are None.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    media_type: str | None = None
    pushed_at: datetime | None = None
    actor: str | None = None
    source_id: str | None = None
    facts: ImageFacts | None = None

    @property
    def reference(self) -> Image:
        return Image(self.registry, self.repository, self.tag, self.digest)

    @property
    def image(self) -> str:
        """The full reference: ``docker.io/acme/shop:1.2.3[@sha256:…]``."""
        return str(self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The raw call, for drivers with ``consumes = Request``.

    ``headers``, with names in lower case, are those that say what the body is, and those that the
    driver asks for (``WebhookDriver.headers``). The query has no key and no project.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def is_private_header(name: str) -> bool:
    """Whether a header belongs to the caller, its proxies or the connection, and to no driver."""
    return name.lower().startswith(_PRIVATE_PREFIXES) or name.lower() in _PRIVATE
