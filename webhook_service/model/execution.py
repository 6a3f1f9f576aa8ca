"""Executions: one event handed to a driver, from queued to its end, with every attempt.

queued → running → succeeded | unchanged | failed | superseded | cancelled
         running ⇄ waiting    follow a rollout without holding a thread
         running ⇄ retrying   after a transient fault, with growing pauses
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from webhook_service.driver import Interruption, PushEvent, Request
from webhook_service.errors import Change
from webhook_service.model.receiver import TagRule
from webhook_service.model.rules.registry import RegistryRule


class ExecutionState(StrEnum):
    """Where an execution stands. ``failed`` is the dead letter: it can be replayed."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    HELD = "held"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


ENDED = (
    ExecutionState.SUCCEEDED,
    ExecutionState.UNCHANGED,
    ExecutionState.FAILED,
    ExecutionState.SUPERSEDED,
    ExecutionState.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run at an execution, from its claim to an end or a retry.

    ``steps`` counts the calls of ``execute`` in it: more than one when the driver waited.
    """

    number: int
    started: datetime
    finished: datetime | None = None
    state: str = ExecutionState.RUNNING
    message: str = ""
    steps: int = 1


GIVING_WAY = "giving_way"
"""The reason of one that waits until a newer one has begun, and goes on if that is refused."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person said to an execution that waits for approval."""

    voter: str
    approved: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval that an execution needs, and the votes so far.

    Attributes:
        needed: how many people must approve it.
        until: when it is cancelled if too few have; None once it is approved.
        votes: what people said, the oldest first.
    """

    needed: int
    until: datetime | None
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """A stored execution.

    Attributes:
        reason: a code for programs; ``message`` is a sentence for people.
        changed: when it first changed its target.
        settled: whether its rollout had completed when it last waited.
        rolls_back: of a rollback, the identity of the push that it undoes.
        replay_of: of a replay, the execution that it repeats.
        requested_by: who asked for the rollback or the replay.
        back_to: see ``Context.back_to``.
        interruption: why it must not go on.
        interrupted_by: the person who asked for that, or the id of the newer execution.
        let_through: who let it run although a rule of its receiver held it.
    """

    id: str
    project: str
    receiver: str
    delivery: str
    driver: str
    slot: str
    state: ExecutionState
    event: PushEvent | Request
    identity: str
    order_key: str
    created: datetime
    due: datetime | None = None
    finished: datetime | None = None
    changed: datetime | None = None
    settled: bool = False
    reason: str | None = None
    message: str = ""
    changes: tuple[Change, ...] = ()
    superseded_by: str | None = None
    rolls_back: str | None = None
    replay_of: str | None = None
    requested_by: str | None = None
    back_to: Mapping[str, str] = field(default_factory=dict)
    interruption: Interruption | None = None
    interrupted_by: str | None = None
    let_through: str | None = None
    approval: Approval | None = None
    attempts: tuple[Attempt, ...] = ()
    driver_state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """An execution that one worker has claimed.

    The claim is valid until its lease ends. Its fence number grows with every claim, so that the
    store can refuse the results of a worker that has lost its lease.

    Attributes:
        resumed: whether the execution waited before, and goes on in the same attempt.
        watched: seconds that its steps and the waits between them have taken in all.
        sealed_config: the receiver's whole config, sealed, if ``config`` hides secrets. The method
            ``Queue.full_config`` opens it.
        when: the receiver's filter.
        shared: whether other projects use the service too.
        settled: what the last ``Wait`` said.
        mirrors: the names under which targets pull what was pushed.
    """

    execution: Execution
    config: Mapping[str, Any]
    tags: TagRule
    registry: RegistryRule | None
    named: bool
    attempt: int
    retries: int
    fence: int
    resumed: bool = False
    watched: float = 0.0
    sealed_config: str | None = None
    shared: bool = False
    mirrors: Mapping[str, str] = field(default_factory=dict)
    settled: bool = False
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to: the state to record, and what belongs to it.

    Attributes:
        pause: seconds until the next step, of an execution that waits or is tried again.
        watched: seconds to add to those of the execution.
        settled: what the last ``Wait`` said.
        changes, event, superseded_by: None keeps what is recorded. So does a ``settled`` of None.
    """

    state: ExecutionState
    message: str = ""
    reason: str | None = None
    changes: tuple[Change, ...] | None = None
    pause: float = 0.0
    driver_state: Mapping[str, Any] = field(default_factory=dict)
    event: PushEvent | Request | None = None
    settled: bool | None = None
    watched: float = 0.0
    superseded_by: str | None = None
