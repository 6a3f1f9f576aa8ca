"""What a commit says about the push that it is for, so that no database is needed to be safe.

Trailers at the end of the message, as ``git interpret-trailers`` reads them. By them a service
that was killed finds its own commit again, and an older push sees that a newer one was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from webhook_drivers.git.repository import Commit
from webhook_drivers.pushed import WrittenImage

PREFIX = "Webhook-"
_LINE = re.compile(r"^Webhook-([A-Z][a-z]+): (.*)$", re.MULTILINE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Note:
    """The newest push of a repository that a commit is for.

    Attributes:
        undoes: the identity of the push that people took back with it.
    """

    commit: Commit
    repository: str
    identity: str
    order: str
    execution: str
    undoes: str = ""

    @classmethod
    def read(cls, commit: Commit) -> Self | None:
        found = dict(_LINE.findall(commit.message.replace("\r\n", "\n")))
        if not {"Repository", "Push", "Order", "Execution"} <= found.keys():
            return None
        return cls(
            commit,
            found["Repository"],
            found["Push"],
            found["Order"],
            found["Execution"],
            found.get("Undoes", ""),
        )


def notes(log: Iterable[Commit], repository: str) -> Iterator[Note]:
    """The pushes of a repository in a file's history, the newest first."""
    for commit in log:
        note = Note.read(commit)
        if note is not None and note.repository == repository:
            yield note


def holds(found: Iterable[Note], identity: str) -> bool:
    """Whether people took this push back, and nobody has brought it back since."""
    for note in found:
        if note.undoes == identity:
            return True
        if note.identity == identity:
            return False
    return False


def message(text: str, pushed: WrittenImage, reverts: Commit | None) -> str:
    """A commit's message with its trailers."""
    event, context = pushed.event, pushed.context
    if reverts is not None:
        text += f"\n\nThis reverts commit {reverts.id}."
    lines = {
        "Repository": event.reference.name,
        "Image": event.image,
        "Actor": event.actor,
        "Push": context.identity,
        "Order": context.order_key,
        "Execution": context.execution,
        "Undoes": context.rolls_back,
    }
    said = (
        f"{PREFIX}{name}: {_CONTROLS.sub(' ', value)}" for name, value in lines.items() if value
    )
    return f"{text}\n\n" + "\n".join(said) + "\n"
