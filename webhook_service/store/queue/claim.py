"""A claim: which executions run next, told from top to bottom. One transaction does all of it.

1. What has come due goes to where claims look.
2. Of each project that has something ready the longest due is read; projects take turns.
3. In each slot one execution may run: of pushes the newest, unless a newer one ran before it (the
   slot's watermark); of raw requests, which are not coalesced, the next. What it overtakes ends,
   and what is active there is asked to give way to it.
4. Those are taken, for the time of a lease and with the next fence, each attempt counted before it
   runs.

``executions.queue`` says where to look for what is open: ``later`` until it is due, ``ready`` from
then on, ``behind`` while another one is active in its slot. It is a hint: state, due time and slot
decide, and what is found in the wrong queue goes to the right one. So a claim reads only what may
really run, however much waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    false,
    func,
    null,
    or_,
    select,
    text,
    update,
)

from webhook_service.driver import Interruption
from webhook_service.failpoints import failpoint
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import GIVING_WAY, Claim, ExecutionState
from webhook_service.model.notification import is_notification
from webhook_service.model.receiver import TagRule
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.people.projects import some_projects
from webhook_service.store.queue import attempts, slots
from webhook_service.store.queue.capacity import Capacity
from webhook_service.store.queue.holding import Holding, hold, holding
from webhook_service.store.queue.interruptions import ask_way
from webhook_service.store.queue.owners import Owner, owners_of
from webhook_service.store.queue.repeats import repeats
from webhook_service.store.queue.slots import Ending, place, superseded
from webhook_service.store.tables import (
    ACTIVE,
    LATER,
    OPEN,
    PENDING,
    READY,
    Moment,
    executions,
)

Candidate = Row[Any]
"""An open execution that may run, with what is ``newest`` and what is ``active`` in its slot."""
MAX_DUE = 512

_E = executions.c
_SEQS: BindParameter[Any] = bindparam("seqs", expanding=True)

# Hosts that claim at the same moment must not wait for each other: each passes over the rows that
# another has locked. SQLite has no such locks and needs none, as one transaction writes at a time.
_DUE = (
    select(_E.seq)
    .where(LATER, _E.due <= bindparam("now", type_=Moment))
    .order_by(_E.due)
    .limit(MAX_DUE)
    .with_for_update(skip_locked=True)
)
_MAKE_READY = update(executions).where(_E.seq.in_(_DUE)).values(queue="ready")
_MOVE = update(executions).where(_E.seq.in_(_SEQS), OPEN).values(queue=bindparam("to"))
_GAVE_WAY = _E.reason == GIVING_WAY
_FOR_NEWER = _E.interruption != Interruption.ABORT
_BEGIN = (
    update(executions)
    .where(_E.seq.in_(_SEQS), OPEN)
    .values(
        state=ExecutionState.RUNNING,
        lease_until=bindparam("until", type_=Moment),
        fence=_E.fence + 1,
        attempt=_E.attempt + case((text("state = 'waiting'"), 0), else_=1),
        due=None,
        # Nobody newer has begun, so what gave way goes on.
        settled=case((_GAVE_WAY, false()), else_=_E.settled),
        reason=case((_GAVE_WAY, null()), else_=_E.reason),
        interruption=case((_GAVE_WAY & _FOR_NEWER, null()), else_=_E.interruption),
        interrupted_by=case((_GAVE_WAY & _FOR_NEWER, null()), else_=_E.interrupted_by),
    )
    .returning(executions)
)


def _projects() -> Select[Any]:
    # DISTINCT would read every row of a project with a long queue. This asks the index for the
    # first project, then for the first one after it, and so on: one probe each. Neither database
    # has such a loose index scan of its own (https://wiki.postgresql.org/wiki/Loose_indexscan).
    first = select(func.min(_E.project).label("project"))
    walk = first.where(READY, _E.project > bindparam("after")).cte("walk", recursive=True)
    following = select(func.min(_E.project)).where(READY, _E.project > walk.c.project)
    walk = walk.union_all(select(following.scalar_subquery()).where(walk.c.project.is_not(None)))
    return select(walk.c.project).where(walk.c.project.is_not(None)).limit(bindparam("count"))


def _candidates() -> Select[Any]:
    # What else is in the slot decides whether the candidate may run, so it comes along: one probe
    # of a partial index each, while a query for each slot afterwards would be a statement each.
    # The rows of the subqueries are not locked: whoever runs the newest one reads it again.
    other = executions.alias("other")
    same_slot = other.c.slot == _E.slot
    # An image that is too young does not stand in the way of an older one.
    old_enough = or_(
        other.c.state != ExecutionState.HELD.value,
        other.c.reason.is_distinct_from(Reason.MINIMUM_AGE.value),
        other.c.queue != "later",
    )
    newest = (
        select(other.c.seq)
        .where(same_slot, OPEN, PENDING, other.c.coalesce, other.c.due.is_not(None), old_enough)
        .order_by(other.c.ordered.desc(), other.c.seq.desc())
        .limit(1)
    )
    # At most one: a partial unique index (uq_executions_active_slot) sees to it.
    active = select(other.c.seq).where(same_slot, ACTIVE)
    return select(
        *(_E.seq, _E.id, _E.project, _E.receiver, _E.slot, _E.coalesce, _E.ordered),
        *(_E.state, _E.settled, _E.due, _E.queue, _E.rolls_back, _E.interruption),
        *(_E.created, _E.let_through),
        newest.scalar_subquery().label("newest"),
        active.scalar_subquery().label("active"),
    ).with_for_update(skip_locked=True, of=executions)


_PROJECTS = _projects()
_CANDIDATES = _candidates()
_OF_PROJECT = (
    _CANDIDATES.where(READY, _E.project == bindparam("project"))
    .order_by(_E.due)
    .limit(bindparam("count"))
)
_NAMED = _CANDIDATES.where(OPEN, _E.id == bindparam("id"))
_OF_EXECUTION = select(_E.slot).where(_E.id == bindparam("id")).scalar_subquery()
_INTERRUPTED = _CANDIDATES.where(OPEN, _E.slot == _OF_EXECUTION, _E.interruption.is_not(None))
_BY_SEQ = _CANDIDATES.where(OPEN, _E.seq.in_(_SEQS))


class Found(NamedTuple):
    """Candidates for a claim, and how many executions became ready meanwhile."""

    candidates: Sequence[Candidate]
    moved: int = 0


class Claimed(NamedTuple):
    """What was claimed, and how many others were ended for it or moved out of its way."""

    claims: list[Claim]
    moved: int


def find_ready(connection: Connection, now: datetime, *, capacity: Capacity, served: str) -> Found:
    """What is ready, of as many projects and of each as much as the capacity may be used for.

    Args:
        served: the project that was served last; those after it are first.
    """
    moved = connection.execute(_MAKE_READY, {"now": now}).rowcount
    # Those that run something may get no place, so as many more are looked for.
    found = _projects_after(connection, served, capacity.free + len(capacity.running))
    projects = [project for project in found if capacity.has_place(project)][: capacity.free]
    count = capacity.free // max(1, len(projects)) + 1
    candidates = [
        row
        for project in projects
        for row in connection.execute(_OF_PROJECT, {"project": project, "count": count})
    ]
    return Found(candidates, moved)


def find_named(connection: Connection, now: datetime, *, execution: str) -> Found:
    """One execution, wherever it is queued."""
    return Found(connection.execute(_NAMED, {"id": execution}).all())


def find_in_the_way(connection: Connection, now: datetime, *, execution: str) -> Found:
    """What was asked to give way in the slot of an execution."""
    return Found(connection.execute(_INTERRUPTED, {"id": execution}).all())


def _projects_after(connection: Connection, served: str, count: int) -> list[str]:
    """Up to ``count`` projects that have something ready: those after ``served``, then the rest."""
    found = list(connection.execute(_PROJECTS, {"after": served, "count": count}).scalars())
    if served and len(found) < count:
        again = connection.execute(_PROJECTS, {"after": "", "count": count - len(found)})
        found += [project for project in again.scalars() if project <= served]
    return found


def claim_together(
    connection: Connection,
    candidates: Sequence[Candidate],
    capacity: Capacity,
    now: datetime,
    until: datetime,
) -> Claimed:
    """Claim those candidates that may run, or the one of their slot that runs instead.

    Args:
        until: when the leases end.
    """
    due: dict[str, dict[str, Candidate]] = defaultdict(dict)
    behind, early = [], []
    for row in candidates:
        if row.due is None or row.due > now:
            early.append(row)
        elif row.active not in (None, row.seq):
            behind.append(row)
        else:
            due[row.project].setdefault(row.slot, row)
    chosen = capacity.share({project: list(rows.values()) for project, rows in due.items()})
    newest = _newest_pushes(connection, [*chosen, *behind])
    first = [_first_of_slot(row, newest.get(row.slot), now) for row in chosen]
    wanted = [row for row in first if row is not None]
    # Of what waits behind others the newest may ask them to give way.
    waiting = {row.slot for row in behind} & newest.keys()
    asking = [newest[slot] for slot in waiting if newest[slot].due <= now]
    known = owners_of(connection, {row.receiver for row in (*wanted, *asking)})
    # Held before anything gives way to it: another receiver may deploy to the same slot.
    held = _held(connection, wanted, known, now)
    not_yet = _held(connection, asking, known, now)
    held |= {seq: each for seq, each in not_yet.items() if each.reason is Reason.MINIMUM_AGE}
    young = {seq for seq, each in held.items() if each.reason is Reason.MINIMUM_AGE}
    old_enough = {slot: row for slot, row in newest.items() if row.seq not in young}
    run, endings = _decide(connection, [row for row in wanted if row.seq not in held], old_enough)

    asking = [row for row in asking if row.seq not in not_yet]
    endings += repeats(connection, asking, known)
    endings += [_orphaned(row) for row in run if row.receiver not in known]
    run = [row for row in run if row.receiver in known]
    slots.end(connection, endings, now)
    claims = _begin(connection, run, known, now, until)

    moved = len(endings) + hold(connection, held.values()) + _move(connection, early, "later")
    gone = {each.row.seq for each in endings} | held.keys()
    left = [row for row in behind if row.seq not in gone]
    asking = [row for row in asking if row.seq not in gone]
    moved += _put_behind(connection, left, asking, now)
    # What ended may have been the first of its slot, for which others wait behind.
    busy = {row.slot for row in (*run, *behind)}
    slots.let_next_go(connection, {each.row.slot for each in endings} - busy)
    failpoint("claim.before_commit")
    return Claimed(claims, moved)


def _decide(
    connection: Connection, wanted: Sequence[Candidate], newest: Mapping[str, Candidate]
) -> tuple[list[Candidate], list[Ending]]:
    """What runs of those that want their slot, and what ends because of it.

    In the slots of those that wait behind others, all but the newest push ends now.
    """
    pushes = [row for row in wanted if _is_push(row)]
    marks = slots.watermarks(connection, [row.slot for row in pushes])
    late = {row.slot for row in pushes if row.slot in marks and place(marks[row.slot]) > place(row)}
    run = [row for row in wanted if row.slot not in late]
    slots.raise_watermarks(connection, [row for row in pushes if row.slot not in late])

    # Each slot's newest push so far. Those that wait there and are older give way to it.
    latest = dict(newest) | {slot: marks[slot] for slot in late}
    latest |= {row.slot: row for row in run if row.coalesce}
    endings = [
        superseded(row, latest[row.slot].id)
        for row in slots.waiting_pushes(connection, latest)
        if place(row) < place(latest[row.slot])
    ]
    return run, endings


def read_again(connection: Connection, rows: Iterable[Candidate]) -> Sequence[Candidate]:
    """Candidates as they are now, without those that another host has in hand."""
    seqs = [row.seq for row in rows]
    return connection.execute(_BY_SEQ, {"seqs": seqs}).all() if seqs else ()


def _newest_pushes(connection: Connection, rows: Sequence[Candidate]) -> dict[str, Candidate]:
    """The newest push that waits in each slot, where there is one and no other host has it."""
    waiting = {row.seq: row for row in rows if row.coalesce and row.newest == row.seq}
    others = {row.newest for row in rows if row.coalesce and row.newest is not None}
    others -= waiting.keys()
    found = [*waiting.values()]
    if others:
        found += connection.execute(_BY_SEQ, {"seqs": list(others)})
    return {row.slot: row for row in found}


def _first_of_slot(row: Candidate, newest: Candidate | None, now: datetime) -> Candidate | None:
    """What may run in the candidate's slot: itself, the newest push instead, or nothing yet."""
    follows_rollout = row.state == ExecutionState.WAITING and not row.settled
    if not row.coalesce or row.newest is None or follows_rollout:
        return row
    if newest is None:
        return None  # another host has it in hand
    # The newest may have to wait for its own time, and nothing older runs in its place. Only the
    # tidying up of what is settled goes on meanwhile, or if all that waits is older.
    if newest.due > now or (row.settled and place(newest) < place(row)):
        return row if row.state == ExecutionState.WAITING else None
    return newest


def _is_push(row: Candidate) -> bool:
    """Whether the candidate competes for its slot by its place; one that waited has won it."""
    return bool(row.coalesce) and row.state != ExecutionState.WAITING and not row.settled


def _held(
    connection: Connection,
    rows: Sequence[Candidate],
    known: Mapping[str, Owner],
    now: datetime,
) -> dict[int, Holding]:
    """Those that may not begin yet, by their numbers."""
    found = (holding(connection, row, known.get(row.receiver), now) for row in rows)
    return {each.seq: each for each in found if each is not None}


def _orphaned(row: Candidate) -> Ending:
    owner = "notification" if is_notification(row.receiver) else "receiver"
    return Ending(row, ExecutionState.CANCELLED, f"The {owner} was deleted.")


def _begin(
    connection: Connection,
    run: Sequence[Candidate],
    known: Mapping[str, Owner],
    now: datetime,
    until: datetime,
) -> list[Claim]:
    if not run:
        return []
    resumed = {row.seq: row.state == ExecutionState.WAITING for row in run}
    rows = connection.execute(_BEGIN, {"seqs": list(resumed), "until": until}).all()
    taken = {row.seq: row for row in rows}
    projects = some_projects(connection)
    claims = [
        _as_claim(taken[seq], known[taken[seq].receiver], again, projects)
        for seq, again in resumed.items()
        if seq in taken
    ]
    attempts.begin(connection, claims, now)
    return claims


def _as_claim(row: Row[Any], receiver: Owner, resumed: bool, projects: Set[str]) -> Claim:
    rule = receiver.registry
    return Claim(
        execution=execution_from_row(row),
        config=receiver.config,
        tags=TagRule.model_validate(receiver.match["tags"]),
        mirrors=receiver.match.get("mirrors") or {},
        registry=None if rule is None else RegistryRule.model_validate(rule),
        named=row.named,
        attempt=row.attempt,
        retries=row.retries,
        fence=row.fence,
        resumed=resumed,
        watched=row.watched,
        sealed_config=receiver.sealed_config,
        shared=bool(projects - {row.project}),
        settled=row.settled,
        when=receiver.match.get("when"),
    )


def _put_behind(
    connection: Connection, rows: Sequence[Candidate], asking: Sequence[Candidate], now: datetime
) -> int:
    # Only behind what stays active until this commits. Another host may have just ended it, and
    # let nobody go, as nobody was behind yet: what is put there then would wait for ever.
    active = slots.still_active(connection, {row.active for row in rows})
    waiting = [row for row in rows if row.slot in active]
    asking = [row for row in asking if row.slot in active]
    return _move(connection, waiting, "behind") + ask_way(connection, asking, active, now)


def _move(connection: Connection, rows: Iterable[Candidate], to: Literal["later", "behind"]) -> int:
    seqs = [row.seq for row in rows]
    return connection.execute(_MOVE, {"seqs": seqs, "to": to}).rowcount if seqs else 0
