"""Timelines: which images a target has run, in their order, and which one runs now. Pure.

A revision is an execution that changed its target, whatever became of it. Each one recorded the
image that it replaced; so what people set by hand in between is known too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook_service.driver import Observed, PushEvent
from webhook_service.images import Image, InvalidImage, parse_image
from webhook_service.model.execution import ENDED, Execution, ExecutionState
from webhook_service.model.history.revision import TAKEN_BACK

BY_HAND_NOW = -1
"""The place of what runs, where no revision brought it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that a target ran. ``execution`` is None where it was there before a push."""

    image: Image
    execution: Execution | None


class Timeline:
    """The images that one target ran, the newest first.

    Args:
        found: the revisions of a slot, the newest first.
        target: whose; None is any, for drivers that name none.
    """

    def __init__(self, found: Sequence[Execution], target: str | None = None) -> None:
        self._found = found
        self.entries = [entry for item in found for entry in _entries(item, target)]

    def place(self, seen: Sequence[Observed] | None) -> int:
        """Where in the timeline the target stands.

        Args:
            seen: its images as they run now; None where nobody knows.
        """
        newest = self._found[0]
        if seen is None:
            return self._recorded()
        if any(item.unfinished for item in seen) and not is_completed(newest):
            return 0
        places = [self._place_of(image) for item in seen if (image := read(item.image))]
        return min(places, default=self._recorded())

    def before(self, place: int, runs: Image | None) -> list[Image]:
        """Where a rollback leads: the newest good image before a place; several are not told apart.

        Args:
            runs: what runs now.
        """
        rest = self.entries[place + 1 :]
        for number, entry in enumerate(rest):
            if (runs and same(entry.image, runs)) or not self._is_good(entry.image):
                continue
            return [entry.image] if entry.execution else _beside(rest[number:])
        return []

    def age(self, place: int) -> int:
        """How old what stands at a place is, for comparing targets: newer ones have less.

        Their timelines differ in length, as not every revision changed every target.
        """
        if place == BY_HAND_NOW:
            return BY_HAND_NOW
        newer = [entry.execution for entry in self.entries[: place + 1]]
        pushes = sum(execution is not None for execution in newer)
        return 2 * pushes + (newer[-1] is None)

    @property
    def knows_what_was_replaced(self) -> bool:
        """Whether the newest revision recorded what it replaced on this target."""
        return len(self.entries) > 1 and self.entries[1].execution is None

    def image_at(self, place: int) -> Image:
        return self.entries[place].image

    def _place_of(self, image: Image) -> int:
        """Where an image came first: with a push, else before one.

        A rollback brings nothing new, unless it got stuck. Then the image runs by its fault.
        """
        newest = self._found[0]
        if same(reference(newest), image) and not _left_good(newest):
            return 0
        fits = [n for n, entry in enumerate(self.entries) if same(entry.image, image)]
        brought = {n: self.entries[n].execution for n in fits}
        pushes = [n for n, by in brought.items() if by and by.rolls_back is None]
        by_hand = [n for n, by in brought.items() if by is None]
        return next(iter([*pushes, *by_hand, *fits]), BY_HAND_NOW)

    def _recorded(self) -> int:
        """Where it stands as far as it is recorded: the newest that was not undone."""
        for item in self._found:
            if item.reason not in TAKEN_BACK:
                return self._place_of(reference(item))
        oldest = [n for n, entry in enumerate(self.entries) if entry.execution is None]
        return oldest[-1] if oldest else 0

    def _is_good(self, image: Image) -> bool:
        """Whether its newest rollout completed; one that no push brought is given the benefit."""
        tried = [item for item in self._found if same(reference(item), image)]
        for item in tried:
            if is_completed(item):
                return True
            if item.state is ExecutionState.FAILED:
                return False
        return not tried


def is_completed(execution: Execution) -> bool:
    """Whether its rollout has completed, also if it still tidies up or was cancelled in that."""
    return execution.state is ExecutionState.SUCCEEDED or execution.settled


def is_under_way(execution: Execution) -> bool:
    return execution.state not in ENDED and not execution.settled


def event_of(execution: Execution) -> PushEvent:
    assert isinstance(execution.event, PushEvent)
    return execution.event


def reference(execution: Execution) -> Image:
    return event_of(execution).reference


def replaced(execution: Execution, target: str | None = None) -> list[Image]:
    """The images of the pushed repository that an execution replaced, each once."""
    name, found = reference(execution).name, dict[Image, None]()
    for change in execution.changes:
        image = read(change.before or "")
        if image and image.name == name and target in (None, change.target):
            found[image] = None
    return list(found)


def targets(execution: Execution) -> list[str]:
    """The targets whose images of the pushed repository an execution changed."""
    name = reference(execution).name
    found = (c.target for c in execution.changes if (i := read(c.after or "")) and i.name == name)
    return list(dict.fromkeys(found))


def changed_ones(found: Sequence[Execution], seen: Sequence[Observed]) -> list[Observed]:
    """What was seen of the targets that a revision has changed; of all, if none is known."""
    known = {target for item in found for target in targets(item)}
    return [item for item in seen if item.target in known] or list(seen)


def read(text: str) -> Image | None:
    try:
        return parse_image(text)
    except InvalidImage:
        return None


def same(one: Image, other: Image) -> bool:
    if one.digest and other.digest:
        return one.name == other.name and one.digest == other.digest
    return (one.name, one.tag) == (other.name, other.tag)


def _left_good(execution: Execution) -> bool:
    return is_completed(execution) or execution.reason in TAKEN_BACK


def _entries(execution: Execution, target: str | None) -> Iterator[Entry]:
    yield Entry(reference(execution), execution)
    yield from (Entry(image, None) for image in replaced(execution, target))


def _beside(rest: Sequence[Entry]) -> list[Image]:
    """The images that one push replaced together."""
    found: list[Image] = []
    for entry in rest:
        if entry.execution is not None:
            break
        found.append(entry.image)
    return found
