"""Files and commits as GitHub's API gives them; Gitea's took the same shape over."""

from __future__ import annotations

from typing import Any

from webhook_drivers.git.forges.api import decoded
from webhook_drivers.git.repository import Commit, File, NotAFile


def file_of(found: Any) -> File | None:
    """A file of ``…/contents/{path}``; None for nothing.

    Raises:
        NotAFile: a folder, a link or a submodule is there.
    """
    if isinstance(found, list) and found:
        folder = str(found[0]["path"]).rpartition("/")[0]
        raise NotAFile(folder, "a folder", "the path of a file in it in `path`")
    if not isinstance(found, dict):
        return None
    if found.get("type") == "symlink":
        what = f"a symbolic link to {found.get('target') or 'another path'}"
        raise NotAFile(found["path"], what, "the path of the file that it leads to in `path`")
    if found.get("type") == "submodule":
        raise NotAFile(found["path"], "a submodule", "that repository's own URL in `repository`")
    if found.get("type") != "file":
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
