"""GitLab: https://docs.gitlab.com/api/commits/ and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webhook_drivers.git.forges.api import (
    ForgeApi,
    decoded,
    encoded,
    part,
    require,
    require_merge,
    written,
)
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

_STATES = {"opened": PullState.OPEN, "locked": PullState.OPEN, "merged": PullState.MERGED}


@dataclass(frozen=True, slots=True)
class GitLab:
    """One project; ``name`` is its path with all groups."""

    api: ForgeApi
    name: str

    @property
    def _root(self) -> str:
        return f"/projects/{part(self.name)}"

    def head(self, branch: str) -> str | None:
        found = self.api.find(f"{self._root}/repository/branches/{part(branch)}")
        return None if found is None else str(found["commit"]["id"])

    def read(self, path: str, commit: str) -> File | None:
        found = self.api.find(f"{self._root}/repository/files/{part(path)}", {"ref": commit})
        return None if found is None else File(decoded(found["content"]), found["last_commit_id"])

    def log(self, path: str, commit: str) -> list[Commit]:
        query = {"ref_name": commit, "path": path, "per_page": LOOKED_BACK}
        found = self.api.get(f"{self._root}/repository/commits", query)
        return [
            Commit(item["id"], item["message"], next(iter(item["parent_ids"]), None))
            for item in found
        ]

    def branch(self, name: str, commit: str) -> None:
        query = {"branch": name, "ref": commit}
        reply = self.api.ask("POST", f"{self._root}/repository/branches", query=query)
        if reply.status == 400 and self.head(name) is not None:
            raise Moved(f"The branch {name} was made by others meanwhile.")
        require(reply)

    def commit(self, new: NewCommit) -> str:
        action = {
            "action": "update",
            "file_path": new.path,
            "content": encoded(new.data),
            "encoding": "base64",
            "last_commit_id": new.version,
        }
        asked = {
            "branch": new.branch,
            "commit_message": new.message,
            "author_name": new.author.name,
            "author_email": new.author.email,
            "actions": [action],
        }
        reply = self.api.ask("POST", f"{self._root}/repository/commits", asked)
        return str(written(reply, new, lambda: self.head(new.branch) != new.head).json()["id"])

    def close(self) -> None:
        pass

    def pull(self, branch: str, into: str) -> Pull | None:
        query = {"source_branch": branch, "target_branch": into, "per_page": 1}
        found = self.api.get(f"{self._root}/merge_requests", query)
        return _pull(found[0]) if found else None

    def open_pull(self, new: NewPull) -> Pull:
        asked = {
            "source_branch": new.branch,
            "target_branch": new.into,
            "title": new.title,
            "description": new.body,
            "labels": ",".join(new.labels),
        }
        return _pull(require(self.api.ask("POST", f"{self._root}/merge_requests", asked)).json())

    def describe(self, number: int, new: NewPull) -> None:
        asked = {"title": new.title, "description": new.body}
        require(self.api.ask("PUT", f"{self._root}/merge_requests/{number}", asked))

    def pull_state(self, number: int) -> Pull:
        return _pull(self.api.get(f"{self._root}/merge_requests/{number}"))

    def merge_when_ready(self, number: int) -> None:
        asked = {"merge_when_pipeline_succeeds": True}
        require_merge(self.api.ask("PUT", f"{self._root}/merge_requests/{number}/merge", asked))

    def close_pull(self, number: int) -> None:
        asked = {"state_event": "close"}
        require(self.api.ask("PUT", f"{self._root}/merge_requests/{number}", asked))


def _pull(found: Any) -> Pull:
    state = _STATES.get(found["state"], PullState.CLOSED)
    merged_as = found.get("merge_commit_sha") or found.get("squash_commit_sha") or found.get("sha")
    return Pull(
        found["iid"], state, found["web_url"], merged_as if state is PullState.MERGED else None
    )
