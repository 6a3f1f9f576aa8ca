"""Which containers a push may change, and how their new images are written.

The rule that keeps a leaked URL harmless: a push replaces what runs the pushed repository
already, and nothing else, unless the receiver names that repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from webhook_drivers.kubernetes.images.workloads import Container
from webhook_service import (
    DriverError,
    Image,
    PushEvent,
    TargetConflict,
    WebhookServiceError,
    parse_image,
)


def select(
    target: str, found: Sequence[Container], event: PushEvent, wanted: Sequence[str], named: bool
) -> tuple[Container, ...]:
    """The containers that this push changes, with the images they run now.

    Args:
        target: the workload's name for messages, such as ``Deployment shop/shop``.
        found: all containers of the workload.
        wanted: the containers that the config names; without them all that run the repository.
        named: whether the receiver names the pushed repository.

    Raises:
        TargetConflict: a container runs something else, or none runs the repository.
        DriverError: the workload has no container of a wanted name.
    """
    pushed = event.reference.name
    if wanted:
        return _named(target, found, pushed, wanted, named)
    chosen = tuple(item for item in found if repository(item.image) == pushed)
    if not chosen:
        raise TargetConflict(
            f"No container of {target} runs {pushed} (it runs {_images(found)}), so nothing was "
            "changed: correct the receiver, or name the container in `containers` and the "
            "repository in `match.repositories`."
        )
    return chosen


def _named(
    target: str, found: Sequence[Container], pushed: str, wanted: Sequence[str], named: bool
) -> tuple[Container, ...]:
    by_name = {item.name: item for item in found}
    if missing := [name for name in wanted if name not in by_name]:
        raise DriverError(missing_containers(target, missing, found), code="container_not_found")
    chosen = tuple(by_name[name] for name in wanted)
    for item in chosen:
        if not named and repository(item.image) != pushed:
            raise TargetConflict(
                f"Container {item.name} of {target} runs {item.image[:256]}, not {pushed}, so "
                "nothing was changed: name the repository with its registry in "
                "`match.repositories` if it is to replace it."
            )
    return chosen


def missing_containers(target: str, missing: Sequence[str], found: Sequence[Container]) -> str:
    """The sentence for containers that a config names and a workload does not have."""
    names = ", ".join(item.name for item in found) or "none"
    return f"{target} has no container {', '.join(missing)} (it has {names}): correct `containers`."


def desired(chosen: Sequence[Container], event: PushEvent, pin: bool) -> tuple[Container, ...]:
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
    return tuple(replace(item, image=_spelling(item.image, event) + suffix) for item in chosen)


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


def _spelling(current: str, event: PushEvent) -> str:
    """The repository as the workload spells it (``nginx``); in full where it is a new one."""
    if repository(current) != event.reference.name:
        return event.reference.name
    path = current.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return head + slash + last.partition(":")[0]


def _images(found: Sequence[Container]) -> str:
    return ", ".join(item.image for item in found)[:256] or "no containers"
