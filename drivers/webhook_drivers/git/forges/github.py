"""GitHub: https://docs.github.com/en/rest/repos/contents and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from webhook_drivers.git.forges.api import ForgeApi, encoded, require, require_merge, written
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

AUTO_MERGE = """mutation($id: ID!) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id}) { clientMutationId }
}"""


@dataclass(frozen=True, slots=True)
class GitHub:
    """One repository; ``name`` is ``owner/name``."""

    api: ForgeApi
    name: str
    graphql: str

    @property
    def _root(self) -> str:
        return f"/repos/{quote(self.name)}"

    def head(self, branch: str) -> str | None:
        found = self.api.find(f"{self._root}/git/ref/heads/{quote(branch)}")
        return None if found is None else str(found["object"]["sha"])

    def read(self, path: str, commit: str) -> File | None:
        return file_of(self.api.find(f"{self._root}/contents/{quote(path)}", {"ref": commit}))

    def log(self, path: str, commit: str) -> list[Commit]:
        query = {"sha": commit, "path": path, "per_page": LOOKED_BACK}
        return commits_of(self.api.get(f"{self._root}/commits", query))

    def branch(self, name: str, commit: str) -> None:
        asked = {"ref": f"refs/heads/{name}", "sha": commit}
        reply = self.api.ask("POST", f"{self._root}/git/refs", asked)
        if reply.status == 422 and self.head(name) is not None:
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
        }
        reply = self.api.ask("PUT", f"{self._root}/contents/{quote(new.path)}", asked)
        return str(written(reply, new, lambda: self._moved(new)).json()["commit"]["sha"])

    def _moved(self, new: NewCommit) -> bool:
        return self.head(new.branch) != new.head

    def close(self) -> None:
        pass

    def pull(self, branch: str, into: str) -> Pull | None:
        owner = self.name.partition("/")[0]
        query = {"head": f"{owner}:{branch}", "base": into, "state": "all", "per_page": 1}
        found = self.api.get(f"{self._root}/pulls", query)
        return _pull(found[0]) if found else None

    def open_pull(self, new: NewPull) -> Pull:
        asked = {"title": new.title, "body": new.body, "head": new.branch, "base": new.into}
        found = require(self.api.ask("POST", f"{self._root}/pulls", asked)).json()
        if new.labels:
            where = f"{self._root}/issues/{found['number']}/labels"
            require(self.api.ask("POST", where, {"labels": [*new.labels]}))
        return _pull(found)

    def describe(self, number: int, new: NewPull) -> None:
        asked = {"title": new.title, "body": new.body}
        require(self.api.ask("PATCH", f"{self._root}/pulls/{number}", asked))

    def pull_state(self, number: int) -> Pull:
        return _pull(self.api.get(f"{self._root}/pulls/{number}"))

    def merge_when_ready(self, number: int) -> None:
        """Auto-merge; where nothing is left to wait for GitHub refuses that, so merge at once."""
        found = self.api.get(f"{self._root}/pulls/{number}")
        if found.get("auto_merge") or found.get("merged"):
            return
        asked = {"query": AUTO_MERGE, "variables": {"id": found["node_id"]}}
        reply = require(
            self.api.http.post(self.graphql, dict(self.api.headers()), json=asked)
        ).json()
        if reply.get("errors"):
            require_merge(self.api.ask("PUT", f"{self._root}/pulls/{number}/merge", {}))

    def close_pull(self, number: int) -> None:
        require(self.api.ask("PATCH", f"{self._root}/pulls/{number}", {"state": "closed"}))


def _pull(found: Any) -> Pull:
    merged = bool(found.get("merged") or found.get("merged_at"))
    state = PullState.MERGED if merged else PullState(found["state"])
    merged_as = found.get("merge_commit_sha") if merged else None
    return Pull(found["number"], state, found["html_url"], merged_as)
