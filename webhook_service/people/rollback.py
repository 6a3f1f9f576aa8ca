"""Rollback: what runs, and where the way back leads. Pure functions over revisions.

*Last good* is the newest revision before the one that runs whose rollout completed. What runs is
what was seen on the target; where nobody can look, what is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webhook_service.driver import Observed, PushEvent
from webhook_service.errors import InvalidRequest
from webhook_service.images import Image, parse_image, parse_repository
from webhook_service.model.execution import Execution
from webhook_service.model.history.revision import BY_HAND, Sight, WayBack
from webhook_service.people.history import NOBODY_LOOKED
from webhook_service.people.timeline import (
    BY_HAND_NOW,
    Timeline,
    changed_ones,
    event_of,
    is_under_way,
    read,
    reference,
    replaced,
    same,
    targets,
)


def choose_slot(
    slots: Sequence[Sequence[Execution]], to: str | None = None, repository: str | None = None
) -> Sequence[Execution]:
    """The revisions of the slot that a rollback is about.

    Args:
        slots: those of a receiver, each with its revisions.
        to: as for ``way_back``.
        repository: whose images the slot runs.

    Raises:
        InvalidRequest: there is none, or there are several.
    """
    if not slots:
        raise InvalidRequest(
            "Nothing that this receiver deployed to its target is recorded yet; push an image."
        )
    name = None if repository is None else parse_repository(repository).name
    meant = [found for found in slots if name in (None, reference(found[0]).name)]
    if to is not None and len(meant) > 1:
        meant = [found for found in meant if _find(found, to, ()) is not None]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(sorted({reference(found[0]).name for found in slots}))
    raise InvalidRequest(f"Say with 'repository' which image is meant; there is: {names}.")


def way_back(
    found: Sequence[Execution], to: str | None = None, sight: Sight = NOBODY_LOOKED
) -> WayBack:
    """Where a rollback of a slot leads.

    Args:
        found: the slot's revisions, newest first; an active execution may be the first.
        to: the id of one of them, or an image that ran; else the last good one.
        sight: what its targets run.

    Raises:
        InvalidRequest: there is no such way; the message says what to do.
    """
    seen = _by_target(found, sight)
    lines = {target: Timeline(found, target) for target in seen}
    places = {target: lines[target].place(images) for target, images in seen.items()}
    ages = {target: lines[target].age(place) for target, place in places.items()}
    newest = min(ages.values())
    moved = [target for target, age in ages.items() if age == newest]
    first = moved[0]
    undone = _undone(lines[first], places[first])
    if to is not None:
        event = _named(found, to, sight.found or ())
        _refuse_what_runs(found, event, seen, lines[first], places[first])
        return WayBack(event, found[0] if undone is None else undone, _identity(undone))
    back = {target: _last_good(lines[target], places[target], seen[target]) for target in moved}
    images = {target: image for target, image in back.items() if image is not None}
    if not images:
        raise InvalidRequest(_nothing_before(found))
    return _way(found, undone, images, alone=len(images) == len(seen))


def _nothing_before(found: Sequence[Execution]) -> str:
    if any(same(image, reference(found[0])) for image in replaced(found[0])):
        return (
            "There is no way back to a tag that was pushed anew without its digest. Name another "
            "image with 'to'."
        )
    return "Nothing that ran before is recorded; name the image with 'to', or push it again."


def _by_target(
    found: Sequence[Execution], sight: Sight
) -> Mapping[str | None, Sequence[Observed] | None]:
    """What each target runs; without a look, the targets are those of the newest change."""
    if not sight.found:
        named = next((names for item in found if (names := targets(item))), [None])
        return dict.fromkeys(named)
    seen: dict[str | None, list[Observed]] = {}
    for item in changed_ones(found, sight.found):
        seen.setdefault(item.target, []).append(item)
    return dict(seen)


def _undone(line: Timeline, place: int) -> Execution | None:
    """The push that brought what runs; None where none did."""
    return None if place == BY_HAND_NOW else line.entries[place].execution


def _identity(undone: Execution | None) -> str:
    return BY_HAND if undone is None else undone.identity


def _last_good(line: Timeline, place: int, seen: Sequence[Observed] | None) -> Image | None:
    runs = _runs(line, place, seen)
    images = line.before(place, runs)
    if not images and place <= 0 and not line.knows_what_was_replaced:
        # The target itself may say what its last push replaced.
        told = [image for item in seen or () if (image := read(item.replaced or ""))]
        images = [image for image in told if runs is None or not same(image, runs)]
    if len(images) > 1:
        names = ", ".join(sorted(map(str, images)))
        raise InvalidRequest(f"Several images ran before; name one with 'to': {names}.")
    return images[0] if images else None


def _runs(line: Timeline, place: int, seen: Sequence[Observed] | None) -> Image | None:
    if place != BY_HAND_NOW:
        return line.image_at(place)
    return next((image for item in seen or () if (image := read(item.image))), None)


def _way(
    found: Sequence[Execution],
    undone: Execution | None,
    images: Mapping[str | None, Image],
    *,
    alone: bool,
) -> WayBack:
    """The way of all targets that move; by name, where they do not all go to one image."""
    first = next(iter(images.values()))
    by_name: dict[str, str] = {}
    if not alone or any(not same(image, first) for image in images.values()):
        by_name = {target: str(image) for target, image in images.items() if target}
    return WayBack(_push(first), found[0] if undone is None else undone, _identity(undone), by_name)


def _refuse_what_runs(
    found: Sequence[Execution],
    event: PushEvent,
    seen: Mapping[str | None, Sequence[Observed] | None],
    line: Timeline,
    place: int,
) -> None:
    """
    Raises:
        InvalidRequest: the image runs already, and nothing of another one is left.
    """
    if is_under_way(found[0]) or any(i.unfinished for each in seen.values() for i in each or ()):
        return
    looks = [read(item.image) for each in seen.values() for item in each or ()]
    runs = looks or [_runs(line, place, None)]
    if all(image is not None and same(event.reference, image) for image in runs):
        raise InvalidRequest(
            f"{event.image} is what runs{'' if looks else ', as far as it is recorded'}: there is "
            "no way back to a tag that was pushed anew without its digest. Name another image "
            "with 'to'."
        )


def _find(found: Sequence[Execution], to: str, seen: Sequence[Observed]) -> PushEvent | None:
    if to.startswith("exe_"):
        return next((event_of(item) for item in found if item.id == to), None)
    asked = parse_image(to)
    told = [image for item in seen if (image := read(item.replaced or ""))]
    events = [event for item in found for event in (event_of(item), *map(_push, replaced(item)))]
    known = (*events, *map(_push, told))
    return next((event for event in known if _covers(asked, event.reference)), None)


def _named(found: Sequence[Execution], to: str, seen: Sequence[Observed]) -> PushEvent:
    event = _find(found, to, seen)
    if event is None:
        raise InvalidRequest(
            f"{to[:300]} is no execution or image that this receiver has deployed; its history "
            "shows them. A new image is deployed by a push."
        )
    return event


def _push(image: Image) -> PushEvent:
    return PushEvent(
        registry=image.registry, repository=image.repository, tag=image.tag, digest=image.digest
    )


def _covers(asked: Image, image: Image) -> bool:
    named = bool(asked.tag or asked.digest) and asked.name == image.name
    return named and asked.tag in (None, image.tag) and asked.digest in (None, image.digest)
