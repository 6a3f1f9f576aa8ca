"""What a host of repositories does for us, whatever its API: the one border to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from webhook_service import DriverError, Retry

LOOKED_BACK = 50
"""How many commits of a file are searched for the newest push."""


class Moved(Retry):
    """The branch or the file is no longer what was read: nothing was written. Read again."""


class NotAFile(DriverError):
    """Something is at a path, and it is no file that can be written."""

    def __init__(self, path: str, what: str, instead: str) -> None:
        super().__init__(f"{path} is {what}, not a file: write {instead}.", code="not_a_file")


class NotReady(DriverError):
    """The host does not merge a request yet: it compares the branches, or waits for reviews."""


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class File:
    """A file at a commit.

    Attributes:
        version: what the host compares when the file is written.
    """

    data: bytes
    version: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    id: str
    message: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class NewCommit:
    """One file as it is to be on a branch.

    Attributes:
        head: the commit that was read, and whose child this one is to be where the host can tell.
        version: of the file that was read.
    """

    branch: str
    path: str
    head: str
    version: str
    data: bytes
    message: str
    author: Author


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request, or merge request.

    Attributes:
        number: as people know it.
        merged_as: the commit on the target branch, where the host says it.
    """

    number: int
    state: PullState
    url: str
    merged_as: str | None = None


@dataclass(frozen=True, slots=True)
class NewPull:
    branch: str
    into: str
    title: str
    body: str
    labels: Sequence[str] = ()


class GitRepository(Protocol):
    """One repository. Every method raises ``Retry`` for what may pass, else ``DriverError``."""

    def head(self, branch: str) -> str | None:
        """The commit that a branch is at; None if there is no such branch."""

    def read(self, path: str, commit: str) -> File | None:
        """A file at a commit; None if nothing is there.

        Raises:
            NotAFile: a folder, a symbolic link or a submodule is there, as far as the host says so.
        """

    def log(self, path: str, commit: str) -> Sequence[Commit]:
        """The last commits that changed a file, the newest first."""

    def branch(self, name: str, commit: str) -> None:
        """Make a branch.

        Raises:
            Moved: there is one of the name.
        """

    def commit(self, new: NewCommit) -> str:
        """Write a file, unless another was faster; gives the commit's id.

        Raises:
            Moved: the file or the branch has changed since it was read.
        """

    def close(self) -> None:
        """Give back what was opened for this repository."""


class PullRequests(Protocol):
    """The pull requests of a repository."""

    def pull(self, branch: str, into: str) -> Pull | None:
        """The newest one from a branch into another, open or not."""

    def open_pull(self, new: NewPull) -> Pull:
        """Make one, with its labels."""

    def describe(self, number: int, new: NewPull) -> None:
        """Give an open one another title and text."""

    def pull_state(self, number: int) -> Pull:
        """As it is now."""

    def merge_when_ready(self, number: int) -> None:
        """Let the host merge it as soon as its checks allow it; a second time does no harm.

        Raises:
            NotReady: the host does not take that yet.
        """

    def close_pull(self, number: int) -> None:
        """Close it without a merge."""
