"""What may not begin yet although its turn has come: why, until when, and in which words.

A rollout that is followed goes on to its end, and people may undo or abort one at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, select, update

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.model.as_json import event_from_json
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import ExecutionState
from webhook_service.model.receiver import After, Freeze, ReceiverState
from webhook_service.model.rules.freeze import compile_windows, frozen_until
from webhook_service.model.spans import read_span
from webhook_service.store.queue.age import birth, told_age
from webhook_service.store.queue.owners import Owner
from webhook_service.store.tables import OPEN, REVISION, Moment, executions, receivers

LOOK_AGAIN = timedelta(seconds=30)
RELEASE = "To let it through now: webhook-service execution release {id} --project {project}"
MAX_SEARCHED = 200

_E = executions.c
_HOLD = (
    update(executions)
    .where(_E.seq == bindparam("of_seq"), OPEN)
    .values(
        state=ExecutionState.HELD,
        reason=bindparam("why"),
        message=bindparam("said"),
        due=bindparam("until", type_=Moment),
        queue="later",
    )
)
_EARLIER = (
    select(_E.event, _E.state, _E.finished)
    .join(receivers, receivers.c.id == _E.receiver)
    .where(
        REVISION,
        receivers.c.project == bindparam("project"),
        receivers.c.name == bindparam("name"),
    )
    .order_by(_E.changed.desc(), _E.seq.desc())
    .limit(MAX_SEARCHED)
)
_EVENT = select(_E.event).where(_E.seq == bindparam("of_seq"))


class Holding(NamedTuple):
    """An execution that may not begin yet; without ``until`` somebody lets it go.

    One whose image is too young competes with no other: what is older and old enough may run.
    """

    seq: int
    reason: Reason
    until: datetime | None = None
    message: str = ""


def holding(
    connection: Connection, row: Row[Any], receiver: Owner | None, now: datetime
) -> Holding | None:
    """Why a candidate for a claim may not begin; None if it may."""
    begun = row.state == ExecutionState.WAITING or row.interruption is not None
    if receiver is None or begun or row.rolls_back is not None:
        return None
    if receiver.state == ReceiverState.SUSPENDED:
        return Holding(row.seq, Reason.SUSPENDED)
    if receiver.project_held:
        # Looked at again by itself too: a hold may end while this is decided.
        message = f"The project is held: {receiver.project_held}"
        return Holding(row.seq, Reason.PROJECT_HELD, now + LOOK_AGAIN, message)
    return None if row.let_through else _by_rules(connection, row, receiver.match, now)


def _by_rules(
    connection: Connection, row: Row[Any], match: Mapping[str, Any], now: datetime
) -> Holding | None:
    """What the receiver's own rules say; people may let an execution through them."""
    age, after = match.get("minimumAge"), match.get("after")
    if age or after:
        event = event_from_json(connection.execute(_EVENT, {"of_seq": row.seq}).scalar_one())
        if isinstance(event, PushEvent):
            found = _too_young(row, event, age, now) if age else None
            if found is None and after:
                found = _after(connection, row, event, After.model_validate(after), now)
            if found is not None:
                return found
    # A push in a freeze window was held when it came; this one has waited for something else.
    if row.state == ExecutionState.HELD and (freezes := match.get("freeze")):
        return _frozen(row, [Freeze.model_validate(freeze) for freeze in freezes], now)
    return None


def hold(connection: Connection, found: Collection[Holding]) -> int:
    """Put executions aside; gives how many."""
    for each in found:
        connection.execute(
            _HOLD,
            {
                "of_seq": each.seq,
                "why": each.reason.value,
                "said": each.message,
                "until": each.until,
            },
        )
    return len(found)


def _frozen(row: Row[Any], freezes: Sequence[Freeze], now: datetime) -> Holding | None:
    try:
        until = frozen_until(compile_windows(freezes), now)
    except InvalidConfig as exc:  # of a receiver that takes no calls either, until it is changed
        return Holding(row.seq, Reason.FROZEN, now + LOOK_AGAIN, exc.message)
    return None if until is None else Holding(row.seq, Reason.FROZEN, until)


def _too_young(row: Row[Any], event: PushEvent, age: str, now: datetime) -> Holding | None:
    """Whether the image is not yet so old; what it says of itself is asked for first."""
    release = RELEASE.format(id=row.id, project=row.project)
    if event.facts is None:
        message = f"How old {event.image} is, its registry is asked now. {release}"
        return Holding(row.seq, Reason.MINIMUM_AGE, None, message)
    until = birth(event, row.created).at + read_span(age)
    if until <= now:
        return None
    message = f"{told_age(event, row.created, age, until)} {release}"
    return Holding(row.seq, Reason.MINIMUM_AGE, until, message)


def _after(
    connection: Connection, row: Row[Any], wanted: PushEvent, after: After, now: datetime
) -> Holding | None:
    """Whether another receiver has run the same image well for long enough, without a break."""
    newest = _newest(connection, {"project": row.project, "name": after.receiver}, wanted)
    if newest is None:
        message = f"{after.receiver} has not deployed {wanted.image} yet."
        return Holding(row.seq, Reason.AFTER, now + LOOK_AGAIN, message)
    until = newest + after.span
    if until <= now:
        return None
    message = f"{after.receiver} runs {wanted.image}, and is to run it for {after.succeeded_for}."
    return Holding(row.seq, Reason.AFTER, until, message)


def _newest(connection: Connection, of: Mapping[str, str], wanted: PushEvent) -> datetime | None:
    """Since when a receiver runs this image; None if what it changed last is another, or failed."""
    for found in connection.execute(_EARLIER, of):
        event = event_from_json(found.event)
        if not isinstance(event, PushEvent) or event.reference.name != wanted.reference.name:
            continue
        if found.state != ExecutionState.SUCCEEDED or not _is_same(event, wanted):
            return None
        since: datetime = found.finished
        return since
    return None


def _is_same(event: PushEvent, wanted: PushEvent) -> bool:
    if event.digest and wanted.digest:
        return event.digest == wanted.digest
    return event.tag == wanted.tag
