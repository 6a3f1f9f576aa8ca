"""Git itself over HTTPS, for hosts without an API that we know: a shallow fetch, and a push.

dulwich speaks the protocol, in memory; each of its calls goes through ``Outbound``.
https://git-scm.com/docs/http-protocol
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from stat import S_ISDIR, S_ISLNK, S_ISREG
from types import SimpleNamespace
from typing import Any

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import (
    GitProtocolError,
    HangupException,
    NotGitRepository,
    NotTreeError,
    SendPackError,
)
from dulwich.object_store import tree_lookup_path
from dulwich.objects import S_ISGITLINK, Blob, ShaFile, SubmoduleEncountered, Tree
from dulwich.objects import Commit as GitCommit
from dulwich.pack import pack_objects_to_data
from dulwich.repo import MemoryRepo

from webhook_drivers.git.forges.api import require
from webhook_drivers.git.repository import Commit, File, Moved, NewCommit, NotAFile
from webhook_drivers.text import head
from webhook_service import DriverError, Outbound, Retry, fault_of

DEPTH = 20
"""How many commits of a branch are fetched, and so how far back the newest push is found."""
MAX_FETCHED = 128 * 1024 * 1024
HIDDEN = "the host shows the branch to readers, but not to pushes (receive.hideRefs of Git)"
"""Why a branch that did not move is another in the list for pushes."""
SHA256 = re.compile(rb"(?: |\n[0-9a-f]{4})object-format=sha256[ \n]")
"""How a host says it among its abilities; no name of a ref can look so."""
LOCKED = "failed to update ref"
"""What Git says while another push has the lock of the branch, or after a crash has left it."""
MAX_TOLD = 500
"""How many bytes of what a hook says are told."""


class _Client(AbstractHttpGitClient):
    """dulwich's client, which calls through our border."""

    def __init__(self, base: str, http: Outbound, headers: Mapping[str, str]) -> None:
        super().__init__(base, quiet=True)
        self._http, self._headers = http, headers

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> tuple[Any, Callable[[int], bytes]]:
        method = "GET" if data is None else "POST"
        body = data if isinstance(data, bytes) else b"".join(data or ())
        sent = {**(headers or {}), **self._headers}
        reply = require(self._http.request(method, url, sent, body, max_bytes=MAX_FETCHED))
        if method == "GET" and SHA256.search(reply.body):
            raise DriverError(
                "The repository names its objects by SHA-256, and gitCommit writes only to "
                "repositories with SHA-1: name one that was made with `git init "
                "--object-format=sha1` in `repository`.",
                code="sha256_repository",
            )
        answer = SimpleNamespace(
            status=reply.status,
            headers=reply.headers,
            content_type=reply.headers.get("content-type"),
            redirect_location=None,
            close=lambda: None,
        )
        return answer, BytesIO(reply.body).read


@dataclass(slots=True)
class SmartHttp:
    """One repository, as far as it was fetched in this step.

    Args:
        base: of the host, such as ``https://git.example.com/``; ``path`` is the repository's.
    """

    http: Outbound
    base: str
    path: str
    headers: Mapping[str, str]
    _local: MemoryRepo = field(default_factory=MemoryRepo)

    def head(self, branch: str) -> str | None:
        ref = _ref(branch)
        found: dict[bytes, Any] = {}

        def wanted(refs: Mapping[Any, Any], depth: int | None = None) -> list[Any]:
            found.update(refs)
            known = refs.get(ref)
            return [known] if known and known not in self._local.object_store else []

        with _in_words(self.base):
            self._client().fetch(self.path, self._local, determine_wants=wanted, depth=DEPTH)
        commit = found.get(ref)
        if commit is not None and commit not in self._local.object_store:
            # The branch moved between the list of refs and the fetch.
            raise Moved(f"{branch} was changed by others meanwhile.")
        return None if commit is None else commit.decode()

    def read(self, path: str, commit: str) -> File | None:
        mode, found = self._entry(path, commit)
        if S_ISREG(mode):
            return File(self._objects[found].data, found.decode())
        if S_ISDIR(mode):
            raise NotAFile(path, "a folder", "the path of a file in it in `path`")
        if S_ISLNK(mode):
            what = f"a symbolic link to {head(self._objects[found].data, MAX_TOLD)}"
            raise NotAFile(path, what, "the path of the file that it leads to in `path`")
        if S_ISGITLINK(mode):
            raise NotAFile(path, "a submodule", "that repository's own URL in `repository`")
        return None

    def log(self, path: str, commit: str) -> list[Commit]:
        """The commits that have another file than each of their parents, as ``git log`` does."""
        left = [(-self._objects[commit.encode()].commit_time, commit.encode())]
        seen, found = {commit.encode()}, list[Commit]()
        while left:
            _, at = heapq.heappop(left)
            obj = self._objects[at]
            parents = [parent for parent in obj.parents if parent in self._objects]
            blob = self._blob(path, at.decode())
            if all(self._blob(path, parent.decode()) != blob for parent in parents):
                parent = parents[0].decode() if parents else None
                found.append(Commit(at.decode(), obj.message.decode("utf-8", "replace"), parent))
            for parent in parents:
                if parent not in seen:
                    seen.add(parent)
                    heapq.heappush(left, (-self._objects[parent].commit_time, parent))
        return found

    def branch(self, name: str, commit: str) -> None:
        self._push(name, None, commit.encode(), ())

    def commit(self, new: NewCommit) -> str:
        made = self._made(new)
        self._push(new.branch, new.head.encode(), made[-1].id, made)
        return str(made[-1].id.decode())

    def close(self) -> None:
        self._local.close()

    @property
    def _objects(self) -> Any:
        return self._local.object_store

    def _blob(self, path: str, commit: str) -> bytes | None:
        mode, found = self._entry(path, commit)
        return found if S_ISREG(mode) else None

    def _entry(self, path: str, commit: str) -> tuple[int, bytes]:
        """The mode and the id of what is at a path; the mode 0 for nothing."""
        try:
            tree = self._objects[commit.encode()].tree
            mode, found = tree_lookup_path(self._objects.__getitem__, tree, path.encode())
        except (KeyError, NotTreeError, SubmoduleEncountered):
            return 0, b""  # nothing is there, or the path goes on behind a file or a submodule
        return mode, found

    def _made(self, new: NewCommit) -> list[ShaFile]:
        """The file, the folders above it from the inside out, and the commit."""
        blob = Blob.from_string(new.data)
        made: list[ShaFile] = [blob]
        parts = new.path.encode().split(b"/")
        trees = [self._objects[self._objects[new.head.encode()].tree]]
        for part in parts[:-1]:
            trees.append(self._objects[trees[-1][part][1]])
        child = blob.id
        for part, tree in zip(reversed(parts), reversed(trees), strict=True):
            changed = Tree.from_string(tree.as_raw_string())
            changed[part] = (tree[part][0], child)
            made.append(changed)
            child = changed.id
        made.append(_commit(new, child))
        return made

    def _push(self, branch: str, old: bytes | None, to: bytes, objects: Any) -> None:
        ref = _ref(branch)

        offered: list[Any] = []

        def update(refs: Mapping[Any, Any]) -> Any:
            offered.extend(refs)
            if refs.get(ref) != old:
                raise Moved(f"{branch} was changed by others meanwhile.")
            return {ref: to}

        heard: list[bytes] = []
        try:
            with _in_words(self.base):
                result = self._client().send_pack(
                    self.path,
                    update,
                    lambda have, want, **_: pack_objects_to_data([*objects]),
                    progress=heard.append,
                )
            refused = (result.ref_status or {}).get(ref)
        except Moved:
            if ref in offered:
                raise
            refused = HIDDEN
        except SendPackError as exc:
            # It takes no such pack: that is too large, or a disk is full.
            refused = head(exc.args[0], MAX_TOLD) if exc.args else fault_of(exc)
        if refused:
            # The server compares too; or a rule of the branch refuses the push.
            if self.head(branch) != (old.decode() if old else None):
                raise Moved(f"{branch} was changed by others meanwhile.")
            if refused == LOCKED:
                raise Retry(f"The push to {branch} was refused: {refused}; another one holds it.")
            raise DriverError(_refusal(branch, refused, b"".join(heard)), code="push_refused")

    def _client(self) -> _Client:
        return _Client(self.base, self.http, self.headers)


def _ref(branch: str) -> Any:
    return b"refs/heads/" + branch.encode()


def _refusal(branch: str, reason: str, heard: bytes) -> str:
    """What a host refused, with what it or a hook of it told beside the bare reason."""
    told = " ".join(head(heard, MAX_TOLD).split())
    words = f" The host says: {told}" if told else ""
    return (
        f"The push to {branch} was refused: {reason}. Let the account of the token push there, or "
        f"name another branch in `branch`.{words}"
    )


def _commit(new: NewCommit, tree: Any) -> GitCommit:
    made = GitCommit()
    made.tree = tree
    made.parents = [new.head.encode()]  # type: ignore[list-item]
    made.author = made.committer = str(new.author).encode()
    made.author_time = made.commit_time = int(time.time())
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = new.message.encode()
    return made


@contextmanager
def _in_words(base: str) -> Iterator[None]:
    """
    Raises:
        Retry: the branch moved while it was fetched, or the connection broke.
        DriverError: this is no Git repository.
    """
    try:
        yield
    except KeyError:
        raise Moved(f"{base} was changed by others meanwhile.") from None
    except HangupException:
        raise Retry(f"{base} broke the connection off.") from None
    except SendPackError:
        raise  # the caller tells the refusal
    except NotGitRepository:
        raise DriverError(f"{base} has no such Git repository.", code="no_repository") from None
    except (GitProtocolError, AssertionError, ValueError) as exc:
        raise DriverError(
            f"{base} does not speak Git's protocol as it should: {fault_of(exc)}.",
            code="git_protocol",
        ) from exc
