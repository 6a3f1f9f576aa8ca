"""Repeats: one push of which its sender tells several times, as if it were as many pushes.

Docker Hub calls once for each platform, seconds apart, and Sonatype Nexus up to 25 times for each
component. Such a call names no digest, and nothing else by which it is known as a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from webhook_service.driver import PushEvent
from webhook_service.model.as_json import event_from_json
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import ExecutionState
from webhook_service.store.queue.owners import Owner
from webhook_service.store.queue.slots import Ending
from webhook_service.store.tables import executions

WINDOW = timedelta(seconds=60)
"""For how long after the first call another one may be a copy: as long as for a sender that gives
neither an id nor a time (``model.order``)."""

_E = executions.c
_ROWS: Select[Any] = select(
    *(_E.seq, _E.id, _E.receiver, _E.event, _E.created),
    *(_E.rolls_back, _E.replay_of, _E.interruption),
).where(_E.seq.in_(bindparam("seqs", expanding=True)))


def repeats(
    connection: Connection, asking: Sequence[Row[Any]], known: Mapping[str, Owner]
) -> list[Ending]:
    """Those of some pushes that are what their slot rolls out already; they end.

    Where the registry is asked, nothing ends here: the digest tells, and the driver finds that it
    runs already.

    Args:
        asking: the newest pushes of slots in which another execution is ``active``.
    """
    asked = [row for row in asking if row.receiver in known and not _resolves(known[row.receiver])]
    if not asked:
        return []
    seqs = {seq for row in asked for seq in (row.seq, row.active)}
    rows = {row.seq: row for row in connection.execute(_ROWS, {"seqs": list(seqs)})}
    return [
        _ending(row, rows[row.active].id)
        for row in asked
        if row.active in rows and row.seq in rows and _same(rows[row.seq], rows[row.active])
    ]


def _resolves(owner: Owner) -> bool:
    return owner.registry is not None and bool(owner.registry.get("resolve", True))


def _same(row: Row[Any], first: Row[Any]) -> bool:
    if row.receiver != first.receiver or not timedelta(0) <= row.created - first.created <= WINDOW:
        return False
    if row.replay_of or first.rolls_back or first.interruption:
        return False  # people meant what they asked for, and what gives way is not gone on with
    one, other = event_from_json(row.event), event_from_json(first.event)
    return _is_vague(one) and _is_vague(other) and _named(one) == _named(other)


def _is_vague(event: object) -> bool:
    """Whether a push has nothing that tells it apart from the one before."""
    return isinstance(event, PushEvent) and event.digest is None and event.source_id is None


def _named(event: object) -> tuple[str, str | None] | None:
    return (event.reference.name, event.tag) if isinstance(event, PushEvent) else None


def _ending(row: Row[Any], first: str) -> Ending:
    message = (
        f"It is the same push as {first}, which was being rolled out: its sender told of it again, "
        "without a digest."
    )
    return Ending(row, ExecutionState.SUPERSEDED, message, first, Reason.DUPLICATE)
