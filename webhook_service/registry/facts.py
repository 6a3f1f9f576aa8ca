"""What an image says of itself: its labels, and how large it is.

Source: OCI image specification, "Annotations" (``org.opencontainers.image.*``) and "Image
Configuration". Builders write them as labels into the config; some annotate manifest or index.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from webhook_service.driver import ImageFacts
from webhook_service.errors import DriverError, InvalidPayload
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import is_digest
from webhook_service.registry.client import Manifest, Repository

PREFIX = "org.opencontainers.image."
MAX_SOURCE, MAX_LABEL = 1000, 255
MAX_SIZE = 1 << 50

log = logging.getLogger(__name__)


def read_facts(repository: Repository, digest: str) -> ImageFacts | None:
    """What the image says; None if that cannot be read now, which is no fault of the push.

    Of an index, its first image for a platform is asked.
    """
    try:
        return _facts(repository, digest)
    except DriverError as exc:
        log.info("What %s says of itself is not read: %s", repository.image, exc.message)
        return None


def _facts(repository: Repository, digest: str) -> ImageFacts:
    index, manifest = None, repository.manifest(digest)
    if manifest is not None and (first := _first_image(manifest)) is not None:
        index, manifest = manifest, repository.manifest(first)
    if manifest is None:
        return ImageFacts()
    config = _config(repository, manifest)
    labels = _dict(_dict(config.get("config")).get("Labels"))
    said = [labels, *(_dict(one.content.get("annotations")) for one in (manifest, index) if one)]
    return ImageFacts(
        source=_said(said, "source", MAX_SOURCE),
        revision=_said(said, "revision"),
        created=_said(said, "created") or _text(config.get("created"), MAX_LABEL),
        version=_said(said, "version"),
        size=_size(manifest),
    )


def _first_image(manifest: Manifest) -> str | None:
    """The digest of an index's first image; builders attach attestations as unknown/unknown."""
    entries = manifest.content.get("manifests")
    for entry in entries if isinstance(entries, list) else ():
        digest, platform = _dict(entry).get("digest"), _dict(_dict(entry).get("platform"))
        if isinstance(digest, str) and is_digest(digest) and platform.get("os") != "unknown":
            return digest
    return None


def _config(repository: Repository, manifest: Manifest) -> Mapping[str, Any]:
    digest = _dict(manifest.content.get("config")).get("digest")
    blob = repository.blob(digest) if isinstance(digest, str) and is_digest(digest) else None
    try:
        return _dict(read_json(blob or b"{}"))
    except InvalidPayload:
        return {}


def _size(manifest: Manifest) -> int | None:
    sizes = list(_sizes(manifest))
    good = [size for size in sizes if type(size) is int and 0 <= size <= MAX_SIZE]
    return sum(good) if sizes and good == sizes else None


def _sizes(manifest: Manifest) -> Iterator[object]:
    layers = manifest.content.get("layers")
    for part in (manifest.content.get("config"), *(layers if isinstance(layers, list) else ())):
        yield _dict(part).get("size")


def _said(places: list[Mapping[str, Any]], name: str, limit: int = MAX_LABEL) -> str | None:
    texts = (_text(place.get(PREFIX + name), limit) for place in places)
    return next((text for text in texts if text), None)


def _text(value: object, limit: int) -> str | None:
    """A text to show; one that is longer or has other characters is no label that people wrote."""
    good = isinstance(value, str) and 0 < len(value) <= limit and value.isprintable()
    return str(value) if good else None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
