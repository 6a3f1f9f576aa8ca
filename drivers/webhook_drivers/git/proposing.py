"""A push as a pull request: the branch with our commits, and the evidence in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from webhook_drivers.git.config import PullRequestConfig
from webhook_drivers.git.markdown import in_bytes, link, plain
from webhook_drivers.git.repository import NewPull, Pull, PullRequests, PullState
from webhook_drivers.git.writing import BranchLook, Writing
from webhook_service import ImageFacts
from webhook_service.failpoints import failpoint

DEFAULT_BRANCH = "webhook-service/{repository}-{receiver}"
_UNFIT = re.compile(r"[^A-Za-z0-9_./-]+|\.\.+|(?<=/)\.|\.lock$|/$")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a pull request proposes.

    Args:
        base_url: of this service, for the link; "" has none.
    """

    writing: Writing
    wanted: PullRequestConfig
    base_url: str = ""

    @property
    def pulls(self) -> PullRequests:
        return cast(PullRequests, self.writing.repository)

    def propose(self, look: BranchLook) -> Pull:
        """Commit on the branch of the request and open it, each unless it was done already.

        Nothing on that branch is ever overwritten: a commit goes on top, or to a branch of its own.
        """
        config = self.writing.config
        branch = self._branch(look)
        self._commit(look, branch)
        failpoint("git.proposing")
        pull = self.pulls.pull(branch, config.branch)
        if pull is None or pull.state is PullState.CLOSED:
            pull = self.pulls.open_pull(self._new(branch))
            failpoint("git.proposed")
        elif pull.state is PullState.OPEN:
            self.pulls.describe(pull.number, self._new(branch))
        return pull

    def _commit(self, look: BranchLook, branch: str) -> None:
        """The commit of this push on its branch, unless it is there."""
        writing = self.writing
        if writing.repository.head(branch) is None:
            writing.repository.branch(branch, look.head)
            failpoint("git.branched")
        there = writing.look(branch)
        if there.ours is None and there.edited.changes:
            writing.commit(there, branch)

    def _branch(self, look: BranchLook) -> str:
        """The branch to commit to.

        One that is there already is used while its request is open, or if it is only a copy that
        was just made; else what is left there belongs to somebody, and the push gets another.
        """
        writing, config = self.writing, self.writing.config
        template = config.push.branch or DEFAULT_BRANCH
        name = _UNFIT.sub("-", writing.pushed.filled(template, missing="digest")).strip("-")[:200]
        own = f"{name[:180]}-{writing.context.execution[-12:]}"
        repository = writing.repository
        if repository.head(own) is not None:
            return own
        head = repository.head(name)
        if head is None:
            return name
        pull = self.pulls.pull(name, config.branch)
        if pull is not None and pull.state is PullState.OPEN:
            return name
        log = repository.log(config.path, head)
        mine = f"Webhook-Execution: {writing.context.execution}\n"
        if log and mine in log[0].message:
            return name
        return name if pull is None and head == look.head else own

    def _new(self, branch: str) -> NewPull:
        writing = self.writing
        title = writing.pushed.filled(self.wanted.title, missing="-")
        if writing.context.rolls_back:
            title = f"Go back to {writing.pushed.image}"
        return NewPull(branch, writing.config.branch, title, self._body(), self.wanted.labels)

    def _body(self) -> str:
        """The evidence: what is proposed, and where it comes from."""
        event, context = self.writing.event, self.writing.context
        facts = event.facts or ImageFacts()
        rows = {
            "Image": plain(event.image),
            "Digest": plain(event.digest),
            "Revision": plain(facts.revision),
            "Source": link(facts.source) or plain(facts.source),
            "Version": plain(facts.version),
            "Built at": plain(facts.created),
            "Size": in_bytes(facts.size),
            "Pushed by": plain(event.actor),
            "Pushed at": event.pushed_at.isoformat() if event.pushed_at else None,
            "Receiver": plain(f"{context.project}/{context.receiver}"),
            "Rolls back": plain(context.rolls_back),
            "Execution": self._execution(),
        }
        said = [f"| {name} | {value} |" for name, value in rows.items() if value]
        table = "\n".join(["| | |", "|---|---|", *said])
        above = self.wanted.body
        text = self.writing.pushed.filled(above, missing="-") + "\n\n" if above else ""
        return f"{text}{table}\n\nwebhook-service made this request when the image was pushed.\n"

    def _execution(self) -> str:
        execution = self.writing.context.execution
        if not self.base_url:
            return execution
        project = self.writing.context.project
        where = f"{self.base_url}/v1-webhooks/executions/{execution}?projectId={project}"
        return f"[{execution}]({where})"
