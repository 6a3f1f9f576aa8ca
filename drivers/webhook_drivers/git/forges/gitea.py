"""Gitea and Forgejo: https://docs.gitea.com/api and https://codeberg.org/api/swagger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from webhook_drivers.git.forges.api import ForgeApi, encoded, part, require, require_merge, written
from webhook_drivers.git.forges.contents import commits_of, file_of
from webhook_drivers.git.repository import (
    LOOKED_BACK,
    Commit,
    File,
    Moved,
    NewCommit,
    NewPull,
    Pull,
    PullState,
)
from webhook_service import DriverError


@dataclass(frozen=True, slots=True)
class Gitea:
    """One repository; ``name`` is ``owner/name``."""

    api: ForgeApi
    name: str

    @property
    def _root(self) -> str:
        return f"/repos/{quote(self.name)}"

    def head(self, branch: str) -> str | None:
        found = self.api.find(f"{self._root}/branches/{quote(branch)}")
        return None if found is None else str(found["commit"]["id"])

    def read(self, path: str, commit: str) -> File | None:
        return file_of(self.api.find(f"{self._root}/contents/{quote(path)}", {"ref": commit}))

    def log(self, path: str, commit: str) -> list[Commit]:
        query = {"sha": commit, "path": path, "limit": LOOKED_BACK, "stat": "false"}
        return commits_of(self.api.get(f"{self._root}/commits", query))

    def branch(self, name: str, commit: str) -> None:
        asked = {"new_branch_name": name, "old_ref_name": commit}
        reply = self.api.ask("POST", f"{self._root}/branches", asked)
        if reply.status == 409:
            raise Moved(f"The branch {name} was made by others meanwhile.")
        require(reply)

    def commit(self, new: NewCommit) -> str:
        who = {"name": new.author.name, "email": new.author.email}
        asked = {
            "message": new.message,
            "content": encoded(new.data),
            "sha": new.version,
            "branch": new.branch,
            "author": who,
            "committer": who,
        }
        reply = self.api.ask("PUT", f"{self._root}/contents/{quote(new.path)}", asked)
        found = written(reply, new, lambda: self.head(new.branch) != new.head)
        return str(found.json()["commit"]["sha"])

    def close(self) -> None:
        pass

    def pull(self, branch: str, into: str) -> Pull | None:
        found = self.api.find(f"{self._root}/pulls/{part(into)}/{part(branch)}")
        return None if found is None else _pull(found)

    def open_pull(self, new: NewPull) -> Pull:
        asked = {
            "title": new.title,
            "body": new.body,
            "head": new.branch,
            "base": new.into,
            "labels": self._labels(new.labels),
        }
        return _pull(require(self.api.ask("POST", f"{self._root}/pulls", asked)).json())

    def describe(self, number: int, new: NewPull) -> None:
        asked = {"title": new.title, "body": new.body}
        require(self.api.ask("PATCH", f"{self._root}/pulls/{number}", asked))

    def pull_state(self, number: int) -> Pull:
        return _pull(self.api.get(f"{self._root}/pulls/{number}"))

    def merge_when_ready(self, number: int) -> None:
        asked = {"Do": "merge", "merge_when_checks_succeed": True}
        reply = self.api.ask("POST", f"{self._root}/pulls/{number}/merge", asked)
        if reply.status == 409:  # scheduled already
            return
        require_merge(reply)

    def close_pull(self, number: int) -> None:
        require(self.api.ask("PATCH", f"{self._root}/pulls/{number}", {"state": "closed"}))

    def _labels(self, names: Sequence[str]) -> list[int]:
        """Labels have numbers here.

        Raises:
            DriverError: there is no such label.
        """
        if not names:
            return []
        found = self.api.get(f"{self._root}/labels", {"limit": 50})
        known = {item["name"]: int(item["id"]) for item in found}
        if missing := [name for name in names if name not in known]:
            raise DriverError(
                f"{self.name} has no label {missing[0]}: make it, or leave it out.", code="no_label"
            )
        return [known[name] for name in names]


def _pull(found: Any) -> Pull:
    state = PullState.MERGED if found.get("merged") else PullState(found["state"])
    return Pull(found["number"], state, found["html_url"], found.get("merge_commit_sha") or None)
