"""Results: what steps came to, many of them stored by a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection, Row, Select, bindparam, func, select, update

from webhook_service.failpoints import failpoint
from webhook_service.model.as_json import event_to_json
from webhook_service.model.execution import ENDED, Claim, ExecutionState, Verdict
from webhook_service.store.notices import tell
from webhook_service.store.queue import attempts, slots
from webhook_service.store.queue.attempts import AttemptOutcome
from webhook_service.store.queue.interruptions import heard
from webhook_service.store.queue.slots import superseded
from webhook_service.store.tables import RUNNING, Moment, executions


class Result(NamedTuple):
    """What a step came to, and when."""

    claim: Claim
    verdict: Verdict
    at: datetime


_E = executions.c
_IF_GIVEN = JSON(none_as_null=True)
_STILL_VALID: Select[Any] = (
    select(_E.id, _E.fence, _E.interruption)
    .where(_E.id.in_(bindparam("ids", expanding=True)), RUNNING)
    .with_for_update()
)
_RECORD = (
    update(executions)
    .where(_E.id == bindparam("of_id"))
    .values(
        state=bindparam("to_state"),
        message=bindparam("said"),
        reason=bindparam("why"),
        driver_state=bindparam("keeps", type_=JSON),
        due=bindparam("next_due", type_=Moment),
        queue="later",
        finished=bindparam("now", type_=Moment),
        changed=func.coalesce(_E.changed, bindparam("changed_now", type_=Moment)),
        lease_until=None,
        lost=0,
        retries=_E.retries + bindparam("retried"),
        watched=_E.watched + bindparam("watched_more"),
        superseded_by=func.coalesce(bindparam("gave_way_to"), _E.superseded_by),
        settled=func.coalesce(bindparam("is_settled", type_=_E.settled.type), _E.settled),
        changes=func.coalesce(bindparam("changed", type_=_IF_GIVEN), _E.changes),
        event=func.coalesce(bindparam("completed", type_=_IF_GIVEN), _E.event),
    )
)


# The next fence is that of whoever ended it: no other worker had it in hand since.
_TOO_LATE = (
    update(executions)
    .where(
        _E.id == bindparam("of_id"),
        _E.state == ExecutionState.CANCELLED,
        _E.fence == bindparam("held") + 1,
    )
    .values(
        changed=func.coalesce(_E.changed, bindparam("at", type_=Moment)),
        changes=bindparam("made", type_=JSON),
    )
)


def still_valid(connection: Connection, claims: Sequence[Claim]) -> Mapping[str, Row[Any]]:
    """Which of some claims are still valid, locked until the transaction ends: rows by id."""
    wanted = {(claim.execution.id, claim.fence) for claim in claims}
    rows: Sequence[Row[Any]]
    rows = connection.execute(_STILL_VALID, {"ids": [id_ for id_, _ in wanted]}).all()
    return {row.id: row for row in rows if (row.id, row.fence) in wanted}


def record(connection: Connection, results: Sequence[Result]) -> list[bool]:
    """Store results; says of each whether its claim was still valid, else it is not stored."""
    valid = still_valid(connection, [result.claim for result in results])
    stored = [
        result._replace(verdict=heard(result.claim, result.verdict, valid[id_].interruption))
        for result in results
        if (id_ := result.claim.execution.id) in valid
    ]
    if stored:
        connection.execute(_RECORD, [_execution_values(*result) for result in stored])
        attempts.close(connection, [_attempted(*result) for result in stored])
        freed = {result.claim.execution.slot for result in stored if _frees(result.verdict)}
        slots.let_next_go(connection, freed)
        _take_over_tidying(connection, stored)
        _tell(connection, stored)
    _keep_changes(connection, [each for each in results if each.claim.execution.id not in valid])
    failpoint("record.before_commit")
    return [result.claim.execution.id in valid for result in results]


def _tell(connection: Connection, results: Sequence[Result]) -> None:
    ended = [result for result in results if result.verdict.state in ENDED]
    if ended:
        tell(connection, [result.claim.execution.id for result in ended], ended[-1].at)


def _keep_changes(connection: Connection, refused: Sequence[Result]) -> None:
    """Remember what a step had changed whose execution people cancelled meanwhile."""
    made = [
        {
            "of_id": result.claim.execution.id,
            "held": result.claim.fence,
            "at": result.at,
            "made": [asdict(change) for change in changes],
        }
        for result in refused
        if (changes := result.verdict.changes)
    ]
    if made:
        connection.execute(_TOO_LATE, made)


def _take_over_tidying(connection: Connection, results: Sequence[Result]) -> None:
    """End what only tidied up in a slot, now that the next one has begun to change its target.

    One that was refused has not begun: then the tidying up stays with whoever had it.
    """
    began = {
        result.claim.execution.slot: result
        for result in results
        if not result.claim.resumed and _has_begun(result.verdict)
    }
    for row in slots.settled(connection, began):
        execution, at = began[row.slot].claim.execution, began[row.slot].at
        if row.id != execution.id:
            slots.end(connection, [superseded(row, execution.id)], at)


def _has_begun(verdict: Verdict) -> bool:
    going_on = verdict.state in (ExecutionState.WAITING, ExecutionState.SUCCEEDED)
    return going_on or bool(verdict.changes)


def _frees(verdict: Verdict) -> bool:
    """Whether a result leaves the slot to others."""
    return verdict.state is not ExecutionState.WAITING or bool(verdict.settled)


def _execution_values(claim: Claim, verdict: Verdict, at: datetime) -> Mapping[str, Any]:
    ended = verdict.state in ENDED
    changes, event = verdict.changes, verdict.event
    is_change = bool(changes) or verdict.state is ExecutionState.SUCCEEDED
    return {
        "of_id": claim.execution.id,
        "to_state": verdict.state.value,
        "said": verdict.message,
        "why": verdict.reason,
        "keeps": {} if ended else dict(verdict.driver_state),
        "next_due": None if ended else at + timedelta(seconds=verdict.pause),
        "now": at if ended else None,
        "changed_now": at if is_change else None,
        "retried": int(verdict.state is ExecutionState.RETRYING),
        "watched_more": verdict.watched,
        "is_settled": verdict.settled,
        "gave_way_to": verdict.superseded_by,
        "changed": None if changes is None else [asdict(change) for change in changes],
        "completed": None if event is None else event_to_json(event),
    }


def _attempted(claim: Claim, verdict: Verdict, at: datetime) -> tuple[int, AttemptOutcome]:
    finished = None if verdict.state is ExecutionState.WAITING else at
    return claim.attempt, AttemptOutcome(
        claim.execution.id, verdict.state, verdict.message, finished
    )
