"""One push and one file: what is to be written, and the commit that writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from webhook_drivers.git.config import GitCommitConfig
from webhook_drivers.git.edits import Edited, edited
from webhook_drivers.git.repository import LOOKED_BACK, Commit, File, GitRepository, NewCommit
from webhook_drivers.git.trailers import Note, holds, message, notes
from webhook_drivers.kubernetes.images.push_record import is_newer
from webhook_drivers.pushed import WrittenImage
from webhook_service import Change, Context, DriverError, PushEvent, Superseded
from webhook_service.failpoints import failpoint

MAX_RACES = 8
"""How often one step begins anew because others were faster; then the engine pauses."""


@dataclass(frozen=True, slots=True)
class BranchLook:
    """A branch as it was read.

    Attributes:
        ours: the commit that this execution made there, if it did.
    """

    head: str
    file: File
    edited: Edited
    notes: tuple[Note, ...]
    newest: Commit | None
    ours: Commit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a push does to one file of a repository."""

    repository: GitRepository
    config: GitCommitConfig
    event: PushEvent
    context: Context
    now: Callable[[], float]

    @property
    def pushed(self) -> WrittenImage:
        return WrittenImage(self.event, self.context, self.config.pin)

    def look(self, branch: str) -> BranchLook:
        """Read a branch, and refuse what must not be written to it.

        Raises:
            DriverError: there is no such branch or file, or the file is not what the edit is for.
            Superseded: a newer push was written, or this one was taken back.
        """
        config, context = self.config, self.context
        head = self.repository.head(branch)
        if head is None:
            raise DriverError(
                f"{config.repository} has no branch {branch}: correct `branch`, or give the "
                "receiver a token that may see the repository.",
                code="no_branch",
            )
        file = self.repository.read(config.path, head)
        if file is None:
            raise DriverError(
                f"Branch {branch} of {config.repository} has no file {config.path}: correct "
                "`path`, or commit the file first.",
                code="no_file",
            )
        log = self.repository.log(config.path, head)
        known = tuple(notes(islice(log, LOOKED_BACK), self.event.reference.name))
        ours = next((note.commit for note in known if note.execution == context.execution), None)
        if ours is None or not context.execution:
            self._refuse(known)
        found = edited(file.data, config.path, config.edit, self.pushed, config.target)
        return BranchLook(head, file, found, known, next(iter(log), None), ours)

    def commit(self, look: BranchLook, branch: str) -> str:
        """Write the file. Its message has what a killed service needs to find it again.

        Raises:
            Moved: others were faster.
        """
        new = NewCommit(
            branch=branch,
            path=self.config.path,
            head=look.head,
            version=look.file.version,
            data=look.edited.data,
            message=message(self._text(), self.pushed, self._reverts(look)),
            author=self.config.who,
        )
        failpoint("git.read")
        made = self.repository.commit(new)
        failpoint("git.committed")
        return made

    def changes(self, commit: Commit) -> tuple[Change, ...]:
        """What a commit of this execution changed, read from its parent."""
        before = self.repository.read(self.config.path, commit.parent) if commit.parent else None
        if before is None:
            return ()
        config = self.config
        return edited(before.data, config.path, config.edit, self.pushed, config.target).changes

    def has(self, commit: str) -> bool:
        """Whether the file is as the push wants it at a commit."""
        file = self.repository.read(self.config.path, commit)
        if file is None:
            return False
        return not edited(file.data, self.config.path, self.config.edit, self.pushed).changes

    def _refuse(self, known: tuple[Note, ...]) -> None:
        context = self.context
        if known and is_newer(known[0].order, context.order_key, self.now()):
            raise Superseded(
                f"{self.config.path} already got a newer push of {self.event.reference.name}, with "
                f"commit {known[0].commit.id[:12]}."
            )
        if not context.rolls_back and holds(known, context.identity):
            raise Superseded(
                f"{self.event.image} was rolled back in {self.config.path} and is not deployed "
                "again by the same push: push it again to deploy it."
            )

    def _text(self) -> str:
        if self.context.rolls_back:
            return f"Go back to {self.pushed.image}"
        return self.pushed.filled(self.config.message, missing="-")

    def _reverts(self, look: BranchLook) -> Commit | None:
        """The commit that a rollback undoes, if it is the newest of the repository's."""
        undone = self.context.rolls_back
        newest = next(iter(look.notes), None)
        return newest.commit if undone and newest and newest.identity == undone else None
