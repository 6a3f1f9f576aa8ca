"""Which containers a push may change, and how their new images are written.

The rule that keeps a leaked URL harmless: a push replaces what runs the pushed repository
already, and nothing else, unless the receiver names that repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from webhook_drivers.kubernetes.images.workloads import Container
from webhook_service import (
    Context,
    DriverError,
    Image,
    PushEvent,
    TargetConflict,
    WebhookServiceError,
    parse_image,
)

DOCKER_HUB = "docker.io"
OTHERWISE = (
    "correct the receiver, or name the container in `containers` and the repository in "
    "`match.repositories`."
)
TO_REPLACE = "name the repository with its registry in `match.repositories` if it is to replace it."


@dataclass(frozen=True, slots=True)
class Sought:
    """The repository that a push is of, and the names by which a workload may run it.

    Attributes:
        pushed: its name where it was pushed.
        mirrors: other names by which the cluster pulls it; the first is the one to write.
        named: whether the receiver names the pushed repository.
    """

    pushed: str
    mirrors: tuple[str, ...] = ()
    named: bool = False

    @classmethod
    def of(cls, event: PushEvent, context: Context, rewritten: Sequence[str] = ()) -> Self:
        """
        Args:
            rewritten: names that an admission plug-in gave it.
        """
        mirrors = (*context.pulled_as(event.reference), *rewritten)
        return cls(event.reference.name, mirrors, context.named)

    def runs_in(self, image: str) -> bool:
        """Whether an image is of this repository."""
        return repository(image) in (self.pushed, *self.mirrors)

    def at(self, image: str) -> str:
        """The repository as a container spells it; as the cluster pulls it, where it is new."""
        if not self.runs_in(image):
            return next(iter(self.mirrors), self.pushed)
        path = image.partition("@")[0]
        head, slash, last = path.rpartition("/")
        return head + slash + last.partition(":")[0]


def select(
    target: str, found: Sequence[Container], sought: Sought, wanted: Sequence[str]
) -> tuple[Container, ...]:
    """The containers that this push changes, with the images they run now.

    Args:
        target: the workload's name for messages, such as ``Deployment shop/shop``.
        found: all containers of the workload.
        wanted: the containers that the config names; without them all that run the repository.

    Raises:
        TargetConflict: a container runs something else, or none runs the repository.
        DriverError: the workload has no container of a wanted name.
    """
    if wanted:
        return _named(target, found, sought, wanted)
    chosen = tuple(item for item in found if sought.runs_in(item.image))
    if not chosen:
        raise TargetConflict(
            f"No container of {target} runs {sought.pushed} (it runs {_images(found)}), so nothing "
            f"was changed: {advice(sought.pushed, [item.image for item in found]) or OTHERWISE}"
        )
    return chosen


def _named(
    target: str, found: Sequence[Container], sought: Sought, wanted: Sequence[str]
) -> tuple[Container, ...]:
    by_name = {item.name: item for item in found}
    if missing := [name for name in wanted if name not in by_name]:
        raise DriverError(missing_containers(target, missing, found), code="container_not_found")
    chosen = tuple(by_name[name] for name in wanted)
    for item in chosen:
        if not sought.named and not sought.runs_in(item.image):
            raise TargetConflict(
                f"Container {item.name} of {target} runs {item.image[:256]}, not {sought.pushed}, "
                f"so nothing was changed: {advice(sought.pushed, [item.image]) or TO_REPLACE}"
            )
    return chosen


def advice(pushed: str, images: Iterable[str]) -> str:
    """What to say of a mirror, if one of the images looks like the pushed one under its name."""
    registry, _, path = pushed.partition("/")
    paths = [path, *([path.removeprefix("library/")] if registry == DOCKER_HUB else [])]
    for image in images:
        name = repository(image) or ""
        for each in paths:
            mirror = name.removesuffix(f"/{each}")
            if mirror not in (name, registry, DOCKER_HUB):
                said = f'{{"{registry}": "{mirror}"}}'
                return (
                    f"if {mirror} is a mirror of {registry}, say so in `match.mirrors`, as {said}; "
                    "pushes then keep it."
                )
    return ""


def missing_containers(target: str, missing: Sequence[str], found: Sequence[Container]) -> str:
    """The sentence for containers that a config names and a workload does not have."""
    names = ", ".join(item.name for item in found) or "none"
    return f"{target} has no container {', '.join(missing)} (it has {names}): correct `containers`."


def desired(
    chosen: Sequence[Container], event: PushEvent, sought: Sought, pin: bool
) -> tuple[Container, ...]:
    """The same containers with the images that the push asks for.

    Raises:
        DriverError: the event has neither a tag nor a digest.
    """
    suffix = f":{event.tag}" if event.tag else ""
    if event.digest and (pin or not event.tag):
        suffix += f"@{event.digest}"
    if not suffix:
        raise DriverError(
            f"The push of {event.image} has neither a tag nor a digest, so there is no image to "
            "deploy: push a tag.",
            code="no_reference",
        )
    return tuple(replace(item, image=sought.at(item.image) + suffix) for item in chosen)


def repository(image: str) -> str | None:
    """Registry and repository of an image; None for what is no image reference."""
    parsed = _parse(image)
    return parsed.name if parsed else None


def tag_of(image: str) -> str | None:
    """The tag of an image; None without one, or for what is no image reference."""
    parsed = _parse(image)
    return parsed.tag if parsed else None


def _parse(image: str) -> Image | None:
    try:
        return parse_image(image)
    except WebhookServiceError:
        return None


def _images(found: Sequence[Container]) -> str:
    return ", ".join(item.image for item in found)[:256] or "no containers"
