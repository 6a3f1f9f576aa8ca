"""What a push is called where it is written: its image, tag and digest, by its name there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from webhook_drivers.kubernetes.images.containers import Sought
from webhook_service import Context, DriverError, PushEvent, TargetConflict

VALUES = (
    "image name registry repository tag digest actor receiver project delivery execution".split()
)
_PLACE = re.compile(r"\{([A-Za-z]*)\}")


def _known(text: str) -> str:
    for name in _PLACE.findall(text):
        if name not in VALUES:
            raise ValueError(f"{{{name}}} is no value of a push; there is: {', '.join(VALUES)}")
    return text


Template = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_known)]
"""A text with values of the push in braces: ``{tag}``."""


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """A push, as a file or a field is to show it.

    Attributes:
        pin: whether a whole image has the digest beside the tag.
    """

    event: PushEvent
    context: Context
    pin: bool = True

    @property
    def name(self) -> str:
        """The repository as targets pull it."""
        names = self.context.pulled_as(self.event.reference)
        return names[0] if names else self.event.reference.name

    @property
    def suffix(self) -> str:
        """What stands behind the name: ``:1.2.3@sha256:…``."""
        tag = f":{self.event.tag}" if self.event.tag else ""
        pinned = self.event.digest and (self.pin or not tag)
        return f"{tag}@{self.event.digest}" if pinned else tag

    @property
    def image(self) -> str:
        return self.name + self.suffix

    def values(self) -> Mapping[str, str | None]:
        event, context = self.event, self.context
        return {
            "image": self.image,
            "name": self.name,
            "registry": event.registry,
            "repository": event.repository,
            "tag": event.tag,
            "digest": event.digest,
            "actor": event.actor,
            "receiver": context.receiver,
            "project": context.project,
            "delivery": context.delivery,
            "execution": context.execution,
        }

    def filled(self, template: str, missing: str | None = None) -> str:
        """A template with the values of this push.

        Args:
            missing: stands where the push has no such value; None refuses it.

        Raises:
            DriverError: the push has no such value.
        """
        values = self.values()
        for name in _PLACE.findall(template):
            if values[name] is None and missing is None:
                hint = " With `registry.resolve` the service asks for it." * (name == "digest")
                raise DriverError(
                    f"The push has no {name}, which is to be written.{hint}", code="no_value"
                )
        return _PLACE.sub(lambda found: values[found.group(1)] or missing or "", template)

    def is_of(self, image: str) -> bool:
        """Whether an image is of the pushed repository, by any name under which it is pulled."""
        return Sought.of(self.event, self.context).runs_in(image)

    def instead_of(self, image: str) -> str:
        """The pushed image, with the name spelt as it was.

        Raises:
            TargetConflict: the image is of another repository, and the receiver names none.
        """
        if self.is_of(image):
            return Sought.of(self.event, self.context).at(image) + self.suffix
        self.refuse_unnamed(image)
        return self.image

    def refuse_unnamed(self, image: str) -> None:
        """
        Raises:
            TargetConflict: the receiver does not say that its pushes may replace other images.
        """
        if not self.context.named:
            raise TargetConflict(
                f"It has {image[:200]} there and not {self.event.reference.name}, so nothing was "
                "changed: name the repository with its registry in `match.repositories`, or "
                "correct the receiver."
            )


def whole_images(name: str, parts: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Whole images by their places: history and the way back are about images.

    Args:
        name: of the repository.
        parts: the place of each value, which part of an image it is (``tag``, ``digest``, or
            another), and the value.
    """
    found: dict[str, str] = {}
    pieces: dict[str, dict[str, str]] = {}
    for place, part, value in parts:
        if part in ("tag", "digest"):
            pieces.setdefault(place, {})[part] = value
        else:
            found[place] = value
    for place, known in pieces.items():
        tag, digest = known.get("tag", ""), known.get("digest", "")
        found[place] = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    return found
