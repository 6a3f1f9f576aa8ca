"""The words of a notice: a title, and a few facts below it."""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.model.notice import Happened, Notice

MAX_CHANGES = 5
MAX_NAME, MAX_VALUE = 200, 800
_TITLES = {
    Happened.SUCCEEDED: "{what} is deployed",
    Happened.FAILED: "{what} failed",
    Happened.ROLLED_BACK: "{what} was rolled back",
    Happened.HELD: "{what} waits for approval",
    Happened.DRIFTED: "{what} was taken back by others",
    Happened.REFUSED: "A call for {what} was refused",
    Happened.TEST: "This is a test",
}
# A rollback by people brings an image; one by itself takes it back.
_BACK_BY_PEOPLE = "{what} is deployed again"
_SIGNS = {
    Happened.SUCCEEDED: "✅",
    Happened.FAILED: "❌",
    Happened.ROLLED_BACK: "↩️",
    Happened.HELD: "✋",
    Happened.DRIFTED: "⚠️",
    Happened.REFUSED: "⛔",
    Happened.TEST: "🔔",
}
LOOK, VOTE = "Look at it", "Approve or refuse"
GOOD = frozenset({Happened.SUCCEEDED, Happened.TEST})


def title(notice: Notice) -> str:
    """One line that says what happened, to what."""
    by_people = notice.happened is Happened.ROLLED_BACK and notice.state == "succeeded"
    text = _BACK_BY_PEOPLE if by_people else _TITLES[notice.happened]
    return text.format(what=short(notice.image) or notice.receiver)


def sign(notice: Notice) -> str:
    """A picture for the title; it never says anything that the title does not."""
    return _SIGNS[notice.happened]


def facts(notice: Notice) -> Iterator[tuple[str, str]]:
    """What to know beside the title, as names and values; none is empty, or long."""
    for name, value in _facts(notice):
        if value:
            yield cut(name, MAX_NAME), cut(value, MAX_VALUE)


def _facts(notice: Notice) -> Iterator[tuple[str, str]]:
    # A test is of no receiver: its name is the notification's.
    yield "Notification" if notice.happened is Happened.TEST else "Receiver", notice.receiver
    yield "Project", notice.project
    for change in notice.changes[:MAX_CHANGES]:
        before, after = short(change["before"] or "nothing"), short(change["after"] or "nothing")
        yield str(change["target"]), f"{before} → {after}"
    if len(notice.changes) > MAX_CHANGES:
        yield "More changes", str(len(notice.changes) - MAX_CHANGES)
    if notice.approvals:
        yield "Approvals needed", f"{notice.approvals}, until {notice.approve_by}"
    for name in ("revision", "source", "version"):
        yield name.capitalize(), str(notice.facts.get(name) or "")
    yield "By", notice.by_name or notice.by


def short(image: str) -> str:
    """An image as people read it: of a digest the first twelve digits."""
    name, separator, digest = image.partition("@sha256:")
    return f"{name}@{digest[:12]}" if separator else name


def cut(text: str, limit: int) -> str:
    """As much of a text as a target takes."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plain(notice: Notice, link: str = "", vote: str = "") -> str:
    """The whole notice as plain text, without its title.

    Args:
        vote: where to vote on it.
    """
    asked = f"{VOTE}: {vote}" if vote else ""
    lines = [notice.message, *(f"{name}: {value}" for name, value in facts(notice)), asked, link]
    return "\n".join(line for line in lines if line)
