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
    """How many people have to approve an execution, until when, and what was said so far.

    Once it is approved there is no ``until``.
    """

    needed: int
    until: datetime | None
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """A stored execution. ``reason`` is a code for programs, ``message`` a sentence for people.

    ``changed`` is when it first changed its target, ``settled`` whether its rollout had completed
    when it last waited.
    ``rolls_back`` is the identity of the push that a rollback undoes, ``replay_of`` the execution
    that a replay repeats, and ``requested_by`` the person who asked for either. ``back_to`` is
    what ``Context.back_to`` says. ``interruption`` says why it is not to go on, and
    ``interrupted_by`` the person who asked for it, or the id of the newer execution.
    ``let_through`` is the person who let it run although a rule of its receiver held it.
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
    """An execution handed to one worker: valid until the lease ends, by fence number.

    ``resumed`` says that it waited, and goes on in the same attempt; ``watched`` is how many
    seconds its steps and the waits between them have taken in all. ``sealed_config`` is the
    receiver's whole config, sealed, if ``config`` hides secrets; ``Queue.full_config`` opens it.
    ``when`` is the receiver's filter. ``shared`` says that other projects use the service too,
    ``settled`` what the last ``Wait`` did, and ``mirrors`` under which names targets pull what was
    pushed.
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
    """What an attempt came to: the state to record, and what goes with it.

    ``pause`` is in seconds, for waiting and retrying; ``watched`` is what they add to those of
    its execution. ``settled`` is what the last ``Wait`` said.
    ``changes``, ``event``, ``settled`` and ``superseded_by`` of None keep those recorded.
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
