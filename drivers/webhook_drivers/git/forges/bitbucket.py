"""Bitbucket Cloud: https://developer.atlassian.com/cloud/bitbucket/rest/api-group-source/"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from webhook_drivers.git.forges.api import ForgeApi, part, require, require_merge, written
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

FORM = "application/x-www-form-urlencoded"
_STATES = {"OPEN": PullState.OPEN, "MERGED": PullState.MERGED}


@dataclass(frozen=True, slots=True)
class Bitbucket:
    """One repository; ``name`` is ``workspace/name``. It has no labels."""

    api: ForgeApi
    name: str

    @property
    def _root(self) -> str:
        return f"/repositories/{quote(self.name)}"

    def head(self, branch: str) -> str | None:
        found = self.api.find(f"{self._root}/refs/branches/{part(branch)}")
        return None if found is None else str(found["target"]["hash"])

    def read(self, path: str, commit: str) -> File | None:
        reply = self.api.ask("GET", f"{self._root}/src/{commit}/{quote(path)}")
        return None if reply.status == 404 else File(require(reply).body)

    def log(self, path: str, commit: str) -> list[Commit]:
        query = {"path": path, "pagelen": LOOKED_BACK}
        found = self.api.get(f"{self._root}/commits/{commit}", query)
        return [
            Commit(
                item["hash"],
                item["message"],
                next((parent["hash"] for parent in item["parents"]), None),
            )
            for item in found["values"]
        ]

    def branch(self, name: str, commit: str) -> None:
        asked = {"name": name, "target": {"hash": commit}}
        reply = self.api.ask("POST", f"{self._root}/refs/branches", asked)
        if reply.status in (400, 409) and self.head(name) is not None:
            raise Moved(f"The branch {name} was made by others meanwhile.")
        require(reply)

    def commit(self, new: NewCommit) -> str:
        """The named parent is what is compared: of a branch that moved, the commit is refused."""
        form = {
            "message": new.message,
            "author": str(new.author),
            "branch": new.branch,
            "parents": new.head,
            f"/{new.path}": new.data,
        }
        body = urlencode(form).encode()
        reply = self.api.ask("POST", f"{self._root}/src", body=body, content_type=FORM)
        made = written(reply, new, lambda: self.head(new.branch) != new.head)
        return made.headers.get("location", "").rstrip("/").rpartition("/")[2]

    def close(self) -> None:
        pass

    def pull(self, branch: str, into: str) -> Pull | None:
        chosen = f'source.branch.name = "{branch}" AND destination.branch.name = "{into}"'
        states = "state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED"
        query = urlencode({"q": chosen, "sort": "-created_on", "pagelen": 1})
        found = self.api.get(f"{self._root}/pullrequests?{states}&{query}")["values"]
        return _pull(found[0]) if found else None

    def open_pull(self, new: NewPull) -> Pull:
        asked = {
            "title": new.title,
            "description": new.body,
            "source": {"branch": {"name": new.branch}},
            "destination": {"branch": {"name": new.into}},
        }
        return _pull(require(self.api.ask("POST", f"{self._root}/pullrequests", asked)).json())

    def describe(self, number: int, new: NewPull) -> None:
        asked = {"title": new.title, "description": new.body}
        require(self.api.ask("PUT", f"{self._root}/pullrequests/{number}", asked))

    def pull_state(self, number: int) -> Pull:
        return _pull(self.api.get(f"{self._root}/pullrequests/{number}"))

    def merge_when_ready(self, number: int) -> None:
        """There is no auto-merge by API: it merges now, or the host says what is missing."""
        require_merge(self.api.ask("POST", f"{self._root}/pullrequests/{number}/merge", {}))

    def close_pull(self, number: int) -> None:
        require(self.api.ask("POST", f"{self._root}/pullrequests/{number}/decline", {}))


def _pull(found: Any) -> Pull:
    state = _STATES.get(found["state"], PullState.CLOSED)
    merged = found.get("merge_commit") or {}
    return Pull(found["id"], state, found["links"]["html"]["href"], merged.get("hash"))
