"""Notices in SQL: what happens is told in the transaction in which it happens.

So no crash loses a notice, and none is sent of what did not happen. While a project has no
notification, that is one look at a small table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    insert,
    select,
    union_all,
)

from webhook_service.driver import Request
from webhook_service.model.as_json import event_to_json, time_to_json
from webhook_service.model.execution import ExecutionState
from webhook_service.model.history.revision import ROLLED_BACK
from webhook_service.model.ids import EXECUTION, new_id
from webhook_service.model.notice import Happened, Notice
from webhook_service.model.notification import NOTIFY, notices_of
from webhook_service.store.tables import executions, inboxes, notifications, receivers, tokens

_N, _E = notifications.c, executions.c
_NAME = func.coalesce(receivers.c.name, _E.receiver).label("receiver_name")
_ABOUT: Select[Any] = (
    select(_N.id.label("notification"), _N.on, _NAME, executions)
    .join(executions, _E.project == _N.project)
    .outerjoin(receivers, receivers.c.id == _E.receiver)
    .where(_E.id.in_(bindparam("ids", expanding=True)))
)
_OF_PROJECTS: Select[Any] = select(_N.id, _N.project, _N.on).where(
    _N.project.in_(bindparam("projects", expanding=True))
)
_NAMES_OF_TOKENS: Select[Any] = select(tokens.c.project, tokens.c.id, tokens.c.name).where(
    tokens.c.project.in_(bindparam("projects", expanding=True)),
    tokens.c.id.in_(bindparam("ids", expanding=True)),
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_NAMES = union_all(
    *(
        select(table.c.id, table.c.name).where(table.c.id.in_(_IDS))
        for table in (receivers, inboxes)
    )
)


def tell(
    connection: Connection,
    ids: Collection[str],
    now: datetime,
    happened: Happened | None = None,
    message: str | None = None,
) -> None:
    """Tell of executions as they are now.

    Args:
        happened: what, if their state does not say it; ``message`` likewise.
    """
    if not ids:
        return
    found = []
    for row in connection.execute(_ABOUT, {"ids": list(ids)}).all():
        meant = (happened,) if happened else _outcome(row)
        if meant and not set(row.on).isdisjoint(meant):
            found.append((row, meant[0]))
    if not found:
        return
    names = _names_of_tokens(connection, [row for row, _ in found])
    told = [(row.notification, _notice(row, meant, now, message, names)) for row, meant in found]
    add_notices(connection, told, now)


def tell_refused(connection: Connection, refused: Sequence[Mapping[str, Any]]) -> None:
    """Tell of calls that were refused, by the rows of their deliveries."""
    wanted = connection.execute(_OF_PROJECTS, {"projects": [row["project"] for row in refused]})
    subscribed = [row for row in wanted.all() if Happened.REFUSED in row.on]
    if not subscribed:
        return
    ids = [row["receiver"] for row in refused]
    names = {row.id: row.name for row in connection.execute(_NAMES, {"ids": ids})}
    for row in refused:
        notice = Notice(
            happened=Happened.REFUSED,
            project=row["project"],
            at=time_to_json(row["received"]) or "",
            receiver=names.get(row["receiver"], row["receiver"]),
            receiver_id=row["receiver"],
            delivery=row["id"],
            reason=row["reason"] or "",
            message=row["refusal"].get("message", ""),
        )
        told = [(each.id, notice) for each in subscribed if each.project == row["project"]]
        add_notices(connection, told, row["received"])


def add_notices(
    connection: Connection, told: Iterable[tuple[str, Notice]], now: datetime
) -> list[str]:
    """Queue notices, each for a notification by its id; gives the ids of their executions."""
    rows = [_row(notification, notice, now) for notification, notice in told]
    if rows:
        connection.execute(insert(executions), rows)
    return [row["id"] for row in rows]


def _outcome(row: Row[Any]) -> tuple[Happened, ...]:
    """What the state of an execution is worth telling; the first is what it is called."""
    if row.state == ExecutionState.FAILED:
        own = row.reason == ROLLED_BACK
        return (Happened.ROLLED_BACK, Happened.FAILED) if own else (Happened.FAILED,)
    if row.state == ExecutionState.SUCCEEDED:
        by_people = row.rolls_back is not None
        return (Happened.ROLLED_BACK, Happened.SUCCEEDED) if by_people else (Happened.SUCCEEDED,)
    return ()


def _people(row: Row[Any]) -> Iterator[str]:
    """Who had to do with an execution, the one who asked for it first; of tokens their ids."""
    yield from (who for who in (row.requested_by, row.interrupted_by) if who)
    if "registry" in row.event and row.event["actor"]:
        yield row.event["actor"]


def _names_of_tokens(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, str]:
    """What people call the tokens that had to do with executions of these rows, all told at once.

    A token counts in its own project only: a sender chooses what it calls who pushed.
    """
    asked = {(row.project, who) for row in rows for who in _people(row)}
    if not asked:
        return {}
    projects, ids = zip(*asked, strict=True)
    wanted = {"projects": [*projects], "ids": [*ids]}
    found = connection.execute(_NAMES_OF_TOKENS, wanted).all()
    return {row.id: row.name for row in found if (row.project, row.id) in asked and row.name}


def _with_names(text: str, row: Row[Any], names: Mapping[str, str]) -> str:
    """A sentence for people, with the name of whoever stopped an execution or asked for it."""
    for who in _people(row):
        text = text.replace(who, names.get(who, who))
    return text


def _notice(
    row: Row[Any],
    happened: Happened,
    now: datetime,
    message: str | None,
    names: Mapping[str, str],
) -> Notice:
    is_push = "registry" in row.event
    by = row.requested_by or (is_push and row.event["actor"]) or ""
    return Notice(
        happened=happened,
        project=row.project,
        at=time_to_json(now) or "",
        receiver=row.receiver_name,
        receiver_id=row.receiver,
        execution=row.id,
        delivery=row.delivery,
        driver=row.driver,
        image=row.event["image"] if is_push else "",
        state=row.state,
        reason=row.reason or "",
        message=_with_names(row.message if message is None else message, row, names),
        by=by,
        by_name=names.get(by, ""),
        # The body of a raw call may hold anything, and is not told.
        event=row.event if is_push else {},
        changes=tuple(row.changes),
        approvals=row.approvals_needed or 0,
        approve_by=time_to_json(row.approve_by) or "",
    )


def _row(notification: str, notice: Notice, now: datetime) -> dict[str, Any]:
    id_, project = new_id(EXECUTION), notices_of(notice.project)
    return {
        "id": id_,
        "project": project,
        "receiver": notification,
        "delivery": "",
        "driver": NOTIFY,
        "slot": f"{project}/{notification}",
        "coalesce": False,
        "named": False,
        "event": event_to_json(Request(body=notice.to_bytes())),
        "identity": id_,
        "dedupe": id_,
        "ordered": now,
        "state": ExecutionState.QUEUED,
        "created": now,
        "due": now,
        "driver_state": {},
        "changes": [],
    }
