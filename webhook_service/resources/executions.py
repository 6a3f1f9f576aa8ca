"""Executions over the wire, and what people ask of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field, StrictBool

from webhook_service.driver import Interruption
from webhook_service.model.execution import ENDED, ExecutionState
from webhook_service.model.history.replays import MAX_REPLAYS
from webhook_service.resources.base import AnswerModel, ApiModel, RequestModel, absent


class ChangeResource(ApiModel):
    """One field that was, or would be, changed."""

    target: str
    field: str
    before: str | None
    after: str | None


class EventResource(ApiModel):
    """One pushed image; or the raw call, for drivers that take any."""

    model_config = ConfigDict(alias_generator=None)


class ImageFactsResource(EventResource):
    """What an image says of itself (``org.opencontainers.image.*``); null where it says nothing."""

    source: str | None = Field(description="Where its source code is.")
    revision: str | None = Field(description="The commit that it was built of.")
    created: str | None = Field(description="When it was built, as it says.")
    version: str | None
    size: int | None = Field(description="As it is pulled, for its first platform, in bytes.")


class PushResource(EventResource):
    """One pushed image."""

    image: str = Field(description="The full reference, with tag and digest.")
    registry: str
    repository: str
    tag: str | None
    digest: str | None
    media_type: str | None
    pushed_at: datetime | None = Field(description="The sender's time of the push.")
    actor: str | None = Field(description="Who pushed.")
    source_id: str | None = Field(description="The sender's id of the push.")
    facts: ImageFactsResource | None = absent("Missing if no registry was asked.")


class RawCallResource(EventResource):
    """A call of a receiver whose driver does not read pushes."""

    body: str = Field(description="In base64.")
    headers: dict[str, str] = Field(description="What proves the call is hidden.")
    query: dict[str, str]


class AttemptResource(ApiModel):
    """One run at an execution."""

    number: int
    started: datetime
    finished: datetime | None
    state: str
    message: str
    steps: int = Field(description="How often the driver was called: it may wait between steps.")


class VoteResource(ApiModel):
    """What one person said."""

    voter: str
    approved: bool
    at: datetime


class ApprovalResource(ApiModel):
    """How many people have to approve, and what was said so far."""

    needed: int
    until: datetime | None = Field(description="When it is too late; null once it is approved.")
    votes: list[VoteResource] | None = absent("Missing in lists.")


class ExecutionResource(AnswerModel):
    """One push handed to a driver, from queued to its end."""

    type: Literal["execution"]
    id: str
    project_id: str
    receiver: str
    delivery: str
    driver: str
    slot: str = Field(description="What is changed; of one slot one execution runs at a time.")
    state: ExecutionState
    reason: str | None = Field(description="For programs.")
    message: str = Field(description="What was done, or what is wrong and what to do.")
    event: PushResource | RawCallResource
    changes: list[ChangeResource]
    superseded_by: str | None = Field(description="The execution with the newer push.")
    rolls_back: str | None = Field(description="The push that it undoes.")
    replay_of: str | None = Field(description="The execution that it repeats.")
    requested_by: str | None = Field(description="Who asked for it, if it was no sender.")
    interruption: Interruption | None = Field(description="Why it is not to go on as it began.")
    interrupted_by: str | None = Field(
        description="Who asked for the abort, or the execution that is to run instead."
    )
    let_through: str | None = Field(
        default=None, description="Who let it run although a rule of its receiver held it."
    )
    approval: ApprovalResource | None
    created: datetime
    due: datetime | None = Field(description="When it goes on.")
    finished: datetime | None
    attempts: list[AttemptResource] | None = absent("Missing in lists.")

    @property
    def ended(self) -> bool:
        """Whether nothing more is done for it."""
        return self.state in ENDED

    @property
    def succeeded(self) -> bool:
        """Whether the target runs what was pushed."""
        return self.state in (ExecutionState.SUCCEEDED, ExecutionState.UNCHANGED)


class ReplayRequest(RequestModel):
    """How to replay one execution."""

    as_of: StrictBool = Field(
        default=False,
        description="Take the place in the order that the push had, instead of the newest.",
    )


class ReplayManyRequest(ReplayRequest):
    """Which executions to replay."""

    receiver: str | None = Field(default=None, description="Only those of this receiver, by id.")
    state: ExecutionState = Field(default=ExecutionState.FAILED, description="One that ended.")
    reason: str | None = Field(default=None, description="Only those with this reason.")
    since: AwareDatetime | None = Field(default=None, description="Ended at or after this time.")
    until: AwareDatetime | None = Field(default=None, description="Ended before this time.")
    # Out of range is refused by ``ReplayFilter``, in the same words on every way in.
    limit: int = Field(
        default=MAX_REPLAYS,
        strict=True,
        description="At most so many.",
        json_schema_extra={"minimum": 1, "maximum": MAX_REPLAYS},
    )
    dry_run: StrictBool = Field(default=False, description="Only say which ones.")


class ReplayedResource(ApiModel):
    """What was replayed at once, or would be."""

    type: Literal["replay"]
    dry_run: bool
    replayed: list[str] = Field(description="The ids of the old executions, oldest first.")
    executions: list[str] = Field(description="The ids of the new ones; empty in a dry run.")
    remaining: int = Field(description="How many more the filter finds: ask again.")


class RollbackRequest(RequestModel):
    """How far to go back."""

    to: str | None = Field(
        default=None,
        max_length=1000,
        description="A revision's id or image; without it what ran before.",
    )
    repository: str | None = Field(
        default=None, max_length=1000, description="Which image, if the receiver deploys several."
    )


class CancelRequest(RequestModel):
    """The end of an execution."""

    force: StrictBool = Field(
        default=False,
        description="Also if it has begun to change its target: what it has changed stays.",
    )


class NoRequest(RequestModel):
    """An empty body."""
