"""Image names, built from what a build server reports; for senders that name no image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.pushes import image_of
from webhook_service.images import is_tag

EXAMPLE = {
    "path": "group/project",
    "ref": "main",
    "ref_slug": "main",
    "sha": "0123456789" * 4,
    "sha8": "01234567",
    "tag": "1.2.3",
}
"""A value of each placeholder there is."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class ImageTemplate:
    """``host/path:tag``, where path and tag may hold placeholders such as ``{path}``."""

    host: str
    path: str
    tag: str

    def uses(self, placeholder: str) -> bool:
        """Whether the placeholder occurs."""
        return placeholder in _PLACEHOLDER.findall(f"{self.path}:{self.tag}")

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Path and tag with values for their placeholders; each placeholder must have a value."""
        return _fill(self.path, values), _fill(self.tag, values)


def parse_template(text: str) -> ImageTemplate:
    """Read a template.

    Raises:
        ValueError: it cannot give an image; the message says why.
    """
    host, _, rest = text.partition("/")
    path, _, tag = rest.rpartition(":")
    if not (host and path and tag):
        raise ValueError("must be host/path:tag, such as registry.example/{path}:{sha8}.")
    _check_placeholders(host, f"{path}:{tag}")
    template = ImageTemplate(host, path, tag)
    _check_image(template)
    return template


def _check_placeholders(host: str, rest: str) -> None:
    if "{" in host:
        raise ValueError("the registry's host must be written out, not a placeholder.")
    if set(_PLACEHOLDER.findall(rest)) - EXAMPLE.keys():
        known = ", ".join(f"{{{name}}}" for name in EXAMPLE)
        raise ValueError(f"has an unknown placeholder; there are {known}.")


def _check_image(template: ImageTemplate) -> None:
    path, tag = template.fill(EXAMPLE)
    try:
        image_of(template.host, path, "imageTemplate")
    except InvalidPayload as exc:
        raise ValueError(exc.message) from exc
    if not is_tag(tag):
        raise ValueError("what stands after the last colon is not a tag.")


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
