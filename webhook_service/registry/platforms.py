"""What an image runs on: from its index, or from the config of its only manifest.

Source: OCI image specification, "Image Index" and "Image Configuration".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.images import is_digest
from webhook_service.registry.client import Manifest, Repository
from webhook_service.registry.faults import PLATFORM_MISMATCH, REGISTRY_FAILED, refusal

MAX_SHOWN = 12
# The variant that an architecture has if none is said (containerd, platforms/database.go).
_USUAL = {"arm64": "v8", "arm": "v7"}


def check_platforms(repository: Repository, manifest: Manifest, wanted: Iterable[str]) -> None:
    """Refuse an image that lacks one of the wanted platforms.

    Raises:
        DriverError: it lacks one, or does not say what it runs on.
    """
    offered = sorted(set(_offered(repository, manifest)))
    missing = [each for each in wanted if not any(_fits(each, one) for one in offered)]
    if missing:
        shown = ", ".join(offered[:MAX_SHOWN]) or "no platform that it names"
        raise refusal(
            PLATFORM_MISMATCH,
            f"{repository.image} runs on {shown}, not on {', '.join(missing)}; build it for that "
            "platform and push it again.",
        )


def _offered(repository: Repository, manifest: Manifest) -> Iterator[str]:
    entries = manifest.content.get("manifests")
    if isinstance(entries, list):
        parts = [each.get("platform") for each in entries if isinstance(each, dict)]
    else:
        parts = [_config(repository, manifest)]
    for part in parts:
        # Builders attach their attestations to the index as unknown/unknown.
        if (text := _text(part)) and not text.startswith("unknown/"):
            yield text


def _config(repository: Repository, manifest: Manifest) -> object:
    config = manifest.content.get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    blob = repository.blob(digest) if isinstance(digest, str) and is_digest(digest) else None
    try:
        return read_json(blob or b"")
    except InvalidPayload:
        raise refusal(
            REGISTRY_FAILED, f"{repository.image} has no config that can be read; push it again."
        ) from None


def _text(part: object) -> str:
    if not isinstance(part, Mapping):
        return ""
    names: list[Any] = [part.get(key) for key in ("os", "architecture", "variant")]
    good = [name for name in names if isinstance(name, str) and name.isalnum() and len(name) < 33]
    return "/".join(good) if len(good) == len([name for name in names if name]) > 1 else ""


def _fits(wanted: str, offered: str) -> bool:
    system, architecture, *variant = wanted.split("/")
    has_system, has_architecture, *has_variant = offered.split("/")
    if (system, architecture) != (has_system, has_architecture):
        return False
    usual = [_USUAL[architecture]] if architecture in _USUAL else []
    return not variant or variant == (has_variant or usual)
