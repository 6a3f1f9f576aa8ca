"""History: the revisions of a slot beside what its target was seen to run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_service.driver import Observed
from webhook_service.model.execution import Execution
from webhook_service.model.history.revision import TAKEN_BACK, Revision, Sight, Standing
from webhook_service.people.timeline import (
    Timeline,
    changed_ones,
    is_completed,
    is_under_way,
    read,
    reference,
    same,
)

MAX_SHOWN = 3
NOBODY_LOOKED = Sight(None)


def history(found: Sequence[Execution], sight: Sight | None = NOBODY_LOOKED) -> list[Revision]:
    """The revisions of one slot, as they were given: newest first.

    Args:
        sight: what its targets run; None where the receiver no longer has this target.
    """
    if sight and sight.found:
        sight = Sight(tuple(changed_ones(found, sight.found)))
    undone = {execution.rolls_back for execution in found if execution.rolls_back}
    expected = expected_of(found)
    standing, note = _standing(expected, sight) if expected else (None, "")
    live = _live(found, sight)
    return [
        Revision(
            item,
            item in live,
            item not in live and (item.identity in undone or item.reason in TAKEN_BACK),
            standing if item is expected else None,
            note if item is expected else "",
        )
        for item in found
    ]


def drift(found: Sequence[Execution], seen: Sequence[Observed]) -> list[Observed]:
    """What others set on the targets instead of what the newest push brought."""
    expected = expected_of(found)
    if expected is None or not is_completed(expected):
        return []
    others = (item for item in changed_ones(found, seen) if _is_other(expected, item))
    return [item for item in others if not item.ours and not item.unfinished]


def told(seen: Sequence[Observed]) -> str:
    """A sentence about what targets run, and who set it."""
    texts = [_told(item) for item in seen[:MAX_SHOWN]]
    more = [f"and {len(seen) - MAX_SHOWN} more"] if len(seen) > MAX_SHOWN else []
    return "; ".join([*texts, *more])


def expected_of(found: Sequence[Execution]) -> Execution | None:
    """The revision that should run: of a rollback, the push that it brought back."""
    for item in found:
        if item.reason not in TAKEN_BACK:
            line = Timeline(found)
            return line.entries[line.place(None)].execution or item
    return None


def _live(found: Sequence[Execution], sight: Sight | None) -> list[Execution]:
    if not found or sight is None:
        return []
    seen: dict[str, list[Observed]] = {}
    for item in sight.found or ():
        seen.setdefault(item.target, []).append(item)
    if sight.found is None:
        expected = expected_of(found)
        return [expected] if expected else []
    live = []
    for target, images in seen.items():
        line = Timeline(found, target)
        place = line.place(images)
        if place >= 0 and (execution := line.entries[place].execution):
            live.append(execution)
    return live


def _standing(expected: Execution, sight: Sight | None) -> tuple[Standing | None, str]:
    if sight is None:
        return None, ""
    if sight.found is None:
        return Standing.UNKNOWN, sight.why
    others = [item for item in sight.found if _is_other(expected, item)]
    if is_under_way(expected):
        return Standing.ROLLING, told(others)
    if any(item.unfinished for item in sight.found) and not is_completed(expected):
        return Standing.LIVE, "Its rollout was not brought to its end: some of the pods run it."
    if others and not is_completed(expected) and len(others) == len(sight.found):
        if not any(_is_set_since(expected, item) for item in others):
            return None, told(others)  # it was taken back, or never got there
    if not sight.found:
        return Standing.DRIFTED, "No container of the target runs this repository."
    if any(not item.ours for item in others):
        return Standing.DRIFTED, told(others)
    return Standing.LIVE, told(others)


def _is_other(expected: Execution, item: Observed) -> bool:
    image = read(item.image)
    return image is None or not same(image, reference(expected))


def _is_set_since(push: Execution, item: Observed) -> bool:
    """Whether somebody else set what was seen after a push came; targets tell whole seconds."""
    came = push.created.replace(microsecond=0)
    return not item.ours and (item.at is None or item.at >= came)


def _told(item: Observed) -> str:
    at = f" at {item.at:%Y-%m-%d %H:%M:%S} UTC" if item.at else ""
    by = "webhook-service" if item.ours else item.by
    who = f", set by {by}{at}" if by else ""
    return f"{item.target} runs {item.image}{who}"
