"""How far a rollout is, as drivers say it in their messages."""

from __future__ import annotations

import re

# "2 of 3 new pods are available".
_PROGRESS = re.compile(r"\b(\d{1,6}) of (?:the )?(\d{1,6})\b")


def progress_in(message: str) -> tuple[int, int] | None:
    """How many of how many, if the message says so."""
    found = _PROGRESS.search(message)
    if found is None:
        return None
    done, wanted = int(found[1]), int(found[2])
    return (done, wanted) if done <= wanted and wanted else None
