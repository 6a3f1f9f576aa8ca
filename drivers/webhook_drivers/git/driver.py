"""The driver ``gitCommit``: a push becomes a commit, or a pull request, and is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import time
from typing import Any, ClassVar, cast
from urllib.parse import quote, urlsplit

from webhook_drivers.git.config import Follow, GitCommitConfig
from webhook_drivers.git.following import FOLLOWED, CommitSight, address_of
from webhook_drivers.git.hosts import Hosts
from webhook_drivers.git.progressed import Progressed
from webhook_drivers.git.proposing import Proposal
from webhook_drivers.git.repository import Moved, NotReady, Pull, PullRequests, PullState
from webhook_drivers.git.writing import MAX_RACES, BranchLook, Writing
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.stopwatch import Stopwatch
from webhook_service import (
    Context,
    Done,
    DriverConfig,
    DriverError,
    Interruption,
    InvalidConfig,
    Observed,
    Outcome,
    Plan,
    PushEvent,
    Superseded,
    Unchanged,
    Wait,
    WebhookDriver,
)

MERGE_SECONDS = 300
"""How long a receiver that follows nothing waits until the host takes the wish to merge."""
PULL_PAUSE = 15.0
"""Seconds between two looks whether people have merged a request, at most: soon at first."""


class GitCommit(WebhookDriver[GitCommitConfig]):
    """Writes the pushed image to a file of a Git repository, by a commit or a pull request.

    Args:
        options: see ``Outbound.for_driver`` and ``Clusters``; ``base_url`` is this service's.
        now: the clock, in seconds since the epoch.
    """

    Config: ClassVar[type[DriverConfig]] = GitCommitConfig
    # Only what a receiver follows is read.
    rights: ClassVar[tuple[Right, ...]] = tuple(
        Right(resource, ("get",)) for resource in FOLLOWED.values()
    )

    def __init__(
        self, options: Mapping[str, Any] | None = None, *, now: Callable[[], float] = time
    ) -> None:
        # The HTTP client takes 6 MB: a host whose receivers write to no repository needs none.
        from webhook_service import Outbound

        super().__init__(options)
        self._http = Outbound.for_driver(self.options)
        self._hosts = Hosts(self._http)
        self._clusters = Clusters(self.options)
        self._now = now

    def close(self) -> None:
        self._http.close()
        self._clusters.close()

    def slot(self, config: GitCommitConfig, event: PushEvent) -> str:
        return f"{config.target} {event.reference.name}"

    def targets(self, config: GitCommitConfig, context: Context) -> tuple[str, ...]:
        """The file; what is followed is only read."""
        host = urlsplit(config.repository).netloc
        parts = (host, config.name, config.branch, config.path)
        return ("/".join(quote(part, safe="") for part in parts),)

    def validate(self, config: GitCommitConfig, context: Context) -> None:
        try:
            if config.follow is not None:
                sight = self._clusters.get(
                    config.follow.cluster, context.project, shared=context.shared
                )
                sight.get(address_of(config.follow))
            event = PushEvent(registry="docker.io", repository="library/none", tag="none")
            with self._writing(config, event, context) as writing:
                writing.look(config.branch)
        except DriverError as error:
            # What the file has of the image shows a push only: no push is here.
            if error.reason not in ("conflict", "field_missing", "no_value"):
                raise InvalidConfig(error.message) from error

    def plan(self, config: GitCommitConfig, event: PushEvent, context: Context) -> Plan:
        try:
            with self._writing(config, event, context) as writing:
                look = writing.look(config.branch)
        except DriverError as error:
            return Plan(notes=(error.message,))
        how = "a pull request" if config.push.pull_request else "a commit"
        if not look.edited.changes:
            return Plan(notes=(_says_it(writing),))
        return Plan(look.edited.changes, (f"It would make {how}.",))

    def observe(
        self, config: GitCommitConfig, event: PushEvent, context: Context
    ) -> tuple[Observed, ...]:
        """What the file says, which is what is deployed from it."""
        with self._writing(config, event, context) as writing:
            try:
                look = writing.look(config.branch)
            except Superseded:
                return ()
        ours = bool(look.newest and any(look.newest == note.commit for note in look.notes))
        images = dict.fromkeys(look.edited.runs.values())
        return tuple(Observed(target=config.target, image=image, ours=ours) for image in images)

    def execute(self, config: GitCommitConfig, event: PushEvent, context: Context) -> Outcome:
        with self._writing(config, event, context) as writing:
            known = Progressed.read(context)
            if known.pull and not known.commit:
                return self._proposed(writing, pulls(writing).pull_state(known.pull), known)
            if known.commit:
                return self._followed(writing, known)
            for _ in range(MAX_RACES):
                with suppress(Moved):
                    return self._begin(writing)
            raise Moved(f"{config.target} was changed by others {MAX_RACES} times meanwhile.")

    def interrupt(
        self, config: GitCommitConfig, event: PushEvent, context: Context, why: Interruption
    ) -> Outcome:
        """A request that nobody has merged is closed; a commit stays, and has a way back."""
        if why is Interruption.NEWER:
            raise Superseded("A newer push goes on from here.")
        number, closed = Progressed.read(context).pull, False
        with self._writing(config, event, context) as writing:
            if number and pulls(writing).pull_state(number).state is PullState.OPEN:
                pulls(writing).close_pull(number)
                closed = True
        if why is Interruption.ROLLBACK:
            raise Superseded("A rollback goes on from here.")
        if closed:
            return Done((), f"Pull request {number} was closed; nothing was merged.")
        return Unchanged("The commit stays: roll back to write the image before it again.")

    def _begin(self, writing: Writing) -> Outcome:
        """Write the commit, or propose it; nothing if the file says it already."""
        config = writing.config
        look = writing.look(config.branch)
        if look.ours is not None:
            known = Progressed(commit=look.ours.id, changes=writing.changes(look.ours))
            return self._followed(writing, known)
        known = Progressed(changes=look.edited.changes)
        if not known.changes:
            return self._says_it_already(writing, look)
        if config.push.pull_request is not None:
            proposal = Proposal(writing, config.push.pull_request, self._base_url)
            return self._proposed(writing, proposal.propose(look), known)
        made = writing.commit(look, config.branch)
        return self._followed(writing, replace(known, commit=made))

    def _says_it_already(self, writing: Writing, look: BranchLook) -> Outcome:
        if writing.config.follow is None:
            return Unchanged(_says_it(writing))
        return self._followed(writing, Progressed(commit=look.head))

    def _proposed(self, writing: Writing, pull: Pull, known: Progressed) -> Outcome:
        """Wait until people, or the host, have merged a request."""
        name = f"Pull request {pull.number} ({pull.url})"
        if pull.state is PullState.CLOSED:
            raise DriverError(f"{name} was closed without a merge.", code="pull_request_closed")
        if pull.state is PullState.MERGED:
            head = pull.merged_as or writing.repository.head(writing.config.branch) or ""
            return self._followed(writing, replace(known, pull=pull.number, commit=head))
        refusal = _refusal_to_merge(writing, pull)
        asked = Stopwatch.read(writing.context.state.get("asked") or {}, self._now())
        if writing.config.follow is None and (not refusal or asked.elapsed >= MERGE_SECONDS):
            if refusal:
                raise DriverError(f"{name} stays open: {refusal}", code="not_merged")
            return Done(
                known.changes, f"{name} is open; this receiver does not wait for its merge."
            )
        waiting = replace(known, pull=pull.number).as_json({})
        pause = min(1.0 + asked.elapsed / 10, PULL_PAUSE)
        said = f"{name} waits for its merge" + (f": {refusal}" if refusal else "")
        return Wait(pause, {**waiting, "asked": asked.as_json()}, said)

    def _followed(self, writing: Writing, known: Progressed) -> Outcome:
        """Wait until what is followed shows the commit."""
        config = writing.config
        said = f"{config.path} on {config.branch} names {writing.pushed.image}"
        if config.follow is None:
            return Done(known.changes, f"{said}, with commit {known.commit[:12]}.")
        watch = Stopwatch.read(writing.context.state.get("watch") or {}, self._now())
        sight = self._sight(writing, config.follow, known.commit)
        seen = sight.look()
        if seen.complete:
            message = f"{said}, and {sight.address} runs it: {seen.message.rstrip('.')}."
            return Done(known.changes, message) if known.changes else Unchanged(message)
        late = watch.elapsed >= config.follow.timeout_seconds
        if seen.failed or late:
            how = (
                "failed" if seen.failed else f"did not end within {config.follow.timeout_seconds} s"
            )
            raise DriverError(
                f"{said}, but what follows {how}: {seen.message.rstrip('.')}. The commit stays.",
                code="rollout_failed" if seen.failed else "rollout_timeout",
                changes=known.changes,
            )
        return Wait(watch.pause, known.as_json(watch.as_json()), seen.message, known.changes)

    def _sight(self, writing: Writing, follow: Follow, commit: str) -> CommitSight:
        context = writing.context
        cluster = self._clusters.get(follow.cluster, context.project, shared=context.shared)
        return CommitSight(cluster, follow, writing.pushed, commit, writing.has)

    @property
    def _base_url(self) -> str:
        return str(self.options.get("base_url") or "")

    @contextmanager
    def _writing(
        self, config: GitCommitConfig, event: PushEvent, context: Context
    ) -> Iterator[Writing]:
        repository = self._hosts.repository(config)
        try:
            yield Writing(
                repository=repository, config=config, event=event, context=context, now=self._now
            )
        finally:
            repository.close()


def _refusal_to_merge(writing: Writing, pull: Pull) -> str:
    """Ask the host to merge, if the receiver wants that; "" or why it does not yet.

    It is asked at each look: right after a request was opened hosts still compare the branches, and
    where auto-merge is not allowed they take it only when reviews and checks are there.
    """
    wanted = writing.config.push.pull_request
    try:
        if wanted and wanted.auto_merge:
            pulls(writing).merge_when_ready(pull.number)
    except NotReady as error:
        return error.message
    return ""


def pulls(writing: Writing) -> PullRequests:
    """The config takes pull requests only for hosts that have them."""
    return cast(PullRequests, writing.repository)


def _says_it(writing: Writing) -> str:
    config = writing.config
    return f"{config.path} on {config.branch} names {writing.pushed.image} already."
