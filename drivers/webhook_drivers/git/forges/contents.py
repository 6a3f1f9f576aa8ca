"""Files and commits as GitHub's API gives them; Gitea's took the same shape over."""

from __future__ import annotations

from typing import Any

from webhook_drivers.git.forges.api import decoded
from webhook_drivers.git.repository import Commit, File


def file_of(found: Any) -> File | None:
    """A file of ``…/contents/{path}``; None for a folder, a link or nothing."""
    if not isinstance(found, dict) or found.get("type") != "file":
        return None
    return File(decoded(found["content"]), found["sha"])


def commits_of(found: Any) -> list[Commit]:
    """The commits of ``…/commits``, the newest first."""
    return [
        Commit(
            item["sha"],
            item["commit"]["message"],
            next((parent["sha"] for parent in item["parents"]), None),
        )
        for item in found
    ]
