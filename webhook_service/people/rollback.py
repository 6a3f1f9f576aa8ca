"""Rollback: which push runs, and what ran before it. Pure functions over recorded revisions.

A revision is an execution that succeeded. Each one recorded the image that it replaced, so the
way back is known also where a person had changed the workload in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidRequest
from webhook_service.images import Image, InvalidImage, parse_image, parse_repository
from webhook_service.model.execution import Execution
from webhook_service.model.revision import Revision, WayBack


def history(found: Sequence[Execution]) -> list[Revision]:
    """The revisions of one slot, as they were given: newest first."""
    live = _running(found)[0] if found else None
    undone = {execution.rolls_back for execution in found if execution.rolls_back}
    return [
        Revision(item, item is live, item is not live and item.identity in undone) for item in found
    ]


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
    meant = [found for found in slots if name in (None, _event(found[0]).reference.name)]
    if to is not None and len(meant) > 1:
        meant = [found for found in meant if _find(found, to) is not None]
    if len(meant) == 1:
        return meant[0]
    names = ", ".join(sorted({_event(found[0]).reference.name for found in slots}))
    raise InvalidRequest(f"Say with 'repository' which image is meant; there is: {names}.")


def way_back(found: Sequence[Execution], to: str | None = None) -> WayBack:
    """Where a rollback of a slot leads.

    Args:
        found: the slot's revisions, newest first; an active execution may be the first.
        to: the id of one of them, or an image that ran; else what ran before the newest push.

    Raises:
        InvalidRequest: there is no such way; the message says what to do.
    """
    live, older = _running(found)
    event = _before(live, older) if to is None else _named(found, to)
    if event is None:
        raise InvalidRequest(
            "Nothing that ran before is recorded; name the image with 'to', or push it again."
        )
    if _same(event.reference, _event(live).reference):
        raise InvalidRequest(
            f"{event.image} is what runs, as far as it is recorded: there is no way back to a tag "
            "that was pushed anew without its digest. Name another image with 'to'."
        )
    return WayBack(event, live)


def _running(found: Sequence[Execution]) -> tuple[Execution, Sequence[Execution]]:
    """The push whose image runs, and the revisions before it.

    After a rollback that is the push which it brought back, so that a second one goes further.
    """
    newest, *older = found
    if newest.rolls_back is None:
        return newest, older
    image = _event(newest).reference
    for place, execution in enumerate(older):
        if execution.rolls_back is None and _same(_event(execution).reference, image):
            return execution, older[place + 1 :]
    return newest, []


def _before(live: Execution, older: Sequence[Execution]) -> PushEvent | None:
    if live.rolls_back is not None:
        return None
    images = set(_replaced(live))
    if len(images) > 1:
        names = ", ".join(sorted(map(str, images)))
        raise InvalidRequest(f"Several images ran before; name one with 'to': {names}.")
    if images:
        return _push(images.pop())
    return _event(_running(older)[0]) if older else None


def _find(found: Sequence[Execution], to: str) -> PushEvent | None:
    if to.startswith("exe_"):
        return next((_event(item) for item in found if item.id == to), None)
    asked = parse_image(to)
    events = (event for item in found for event in (_event(item), *map(_push, _replaced(item))))
    return next((event for event in events if _covers(asked, event.reference)), None)


def _named(found: Sequence[Execution], to: str) -> PushEvent:
    event = _find(found, to)
    if event is None:
        raise InvalidRequest(
            f"{to[:300]} is no execution or image that this receiver has deployed; its history "
            "shows them. A new image is deployed by a push."
        )
    return event


def _replaced(execution: Execution) -> list[Image]:
    """The images of the pushed repository that the execution replaced."""
    name, found = _event(execution).reference.name, []
    for change in execution.changes:
        try:
            image = parse_image(change.before or "")
        except InvalidImage:
            continue
        if image.name == name:
            found.append(image)
    return found


def _push(image: Image) -> PushEvent:
    return PushEvent(
        registry=image.registry, repository=image.repository, tag=image.tag, digest=image.digest
    )


def _event(execution: Execution) -> PushEvent:
    assert isinstance(execution.event, PushEvent)
    return execution.event


def _same(one: Image, other: Image) -> bool:
    if one.digest and other.digest:
        return one.name == other.name and one.digest == other.digest
    return (one.name, one.tag) == (other.name, other.tag)


def _covers(asked: Image, image: Image) -> bool:
    named = bool(asked.tag or asked.digest) and asked.name == image.name
    return named and asked.tag in (None, image.tag) and asked.digest in (None, image.digest)
