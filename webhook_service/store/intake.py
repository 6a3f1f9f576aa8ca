"""The intake: calls and the work they bring, stored many at a time by a few statements.

The writer hands over the decisions of all callers that wait at that moment, so a group of them
costs one INSERT of deliveries, one of executions, and one commit.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from sqlalchemy import Connection, bindparam, select

from webhook_service.driver import PushEvent
from webhook_service.errors import StoreUnavailable
from webhook_service.failpoints import failpoint
from webhook_service.model.as_json import event_to_json
from webhook_service.model.delivery import (
    Decision,
    Delivery,
    DeliveryState,
    Item,
    Reason,
    Taker,
    Work,
)
from webhook_service.model.execution import ExecutionState
from webhook_service.model.notice import Happened
from webhook_service.store.database.bulk import BulkInsert, Row
from webhook_service.store.database.database import Database
from webhook_service.store.database.write import Write, wait
from webhook_service.store.endpoints.live import still_live
from webhook_service.store.history.approvals import keep_newest, waiting_for
from webhook_service.store.history.audit import add_entries, log_entry
from webhook_service.store.limits.room import Room
from webhook_service.store.notices import tell
from webhook_service.store.tables import deliveries, executions, micros

# Of calls that bring no work. Nothing runs from a body: executions hold what they are about.
MAX_KEPT = 4096
# What a row and its places in indexes take, about.
ROW_BYTES = 512

# Built once: this runs for every group that has a copy in it.
_FIRSTS = select(executions.c.dedupe, executions.c.id, executions.c.delivery).where(
    executions.c.receiver == bindparam("of"),
    executions.c.dedupe.in_(bindparam("names", expanding=True)),
)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_QUEUED = ExecutionState.QUEUED.value
_DELIVERY = (
    *("id", "project", "receiver", "state", "reason", "items", "duplicate_of", "client"),
    *("received", "body"),
)
_EXECUTION = (
    *("id", "project", "receiver", "delivery", "driver", "slot", "coalesce", "named", "event"),
    *("identity", "dedupe", "ordered", "state", "reason", "created", "due", "driver_state"),
    *("changes", "approvals_needed", "approve_by"),
)


@dataclass(frozen=True, slots=True)
class _First:
    """The execution that has a work's identity already."""

    execution: str
    delivery: str


Firsts = Mapping[str, _First]
"""By the execution that work would have become, if it is a copy."""


def stored(delivery: Delivery | None) -> Delivery:
    """The delivery of a decision that was stored.

    Raises:
        StoreUnavailable: it was not, for its receiver is no longer as it was.
    """
    if delivery is None:
        raise StoreUnavailable("The receiver is being changed; nothing was stored.")
    return delivery


class Intake:
    """Takes calls in: one transaction stores what was decided with the work that it brings."""

    def __init__(self, database: Database, room: Room) -> None:
        self._database = database
        self._room = room
        # Of what is being written; for the writer's thread alone.
        self._sizes: dict[str, int] = {}

    def accept(self, decision: Decision) -> Delivery:
        """Store a call with the work it brings; gives the call as stored, after the commit.

        Raises:
            StoreUnavailable: nothing was stored.
            LimitReached: nothing was stored, for there is too much already.
        """
        delivery = stored(wait(self.submit(decision)))
        if decision.audited:
            log_entry(decision.audited)
        return delivery

    def submit(self, decision: Decision) -> Write[Delivery | None]:
        """Begin to store a call with the work it brings, without waiting for the commit.

        Work whose identity the receiver already has becomes an item that is a duplicate; a call
        with nothing else in it is one itself.

        Returns:
            The call as stored, after the commit. None if nothing was, because what the decision
            is based on is no longer so.

        Raises:
            StoreUnavailable: nothing was stored; the future may also raise it.
            LimitReached: nothing was stored, for there is too much already.
        """
        self.require_room(decision)
        return self.submit_all([decision])[0]

    def require_room(self, decision: Decision) -> None:
        """Make sure that the call's project and receiver may store it.

        Raises:
            LimitReached: there is too much already.
        """
        delivery = decision.delivery
        self._room.require(delivery.project, delivery.receiver, work=bool(decision.works))

    def submit_all(self, decisions: Sequence[Decision]) -> list[Write[Delivery | None]]:
        """``submit`` for some calls that there is room for: the writer takes them together.

        Raises:
            StoreUnavailable: nothing was stored; the futures may also raise it.
        """
        writes = self._database.submit_all(self._store, decisions)
        for decision, write in zip(decisions, writes, strict=True):
            write.add_done_callback(partial(self._take_room, decision.delivery.id))
        return writes

    def _take_room(self, delivery_id: str, stored: Future[Delivery | None]) -> None:
        size = self._sizes.pop(delivery_id, 0)
        if stored.cancelled() or stored.exception() or (delivery := stored.result()) is None:
            return
        new = len(delivery.executions) if delivery.state is DeliveryState.ACCEPTED else 0
        self._room.take(delivery.project, delivery.receiver, size, new)

    def _store(
        self, connection: Connection, decisions: Sequence[Decision]
    ) -> list[Delivery | None]:
        live = _live(connection, decisions, self._database.now())
        firsts = self._add_executions(connection, live)
        decided = {each.delivery.id: _revised(each.delivery, firsts) for each in live}
        if live:
            rows = [_delivery_row(decided[each.delivery.id], each.body) for each in live]
            self._deliveries.run(connection, rows)
            for row in rows:
                self._sizes[row["id"]] += ROW_BYTES + len(row["items"].encode()) + len(row["body"])
            add_entries(connection, [each.audited for each in live if each.audited])
        failpoint("accept.stored")
        return [decided.get(decision.delivery.id) for decision in decisions]

    @cached_property
    def _deliveries(self) -> BulkInsert:
        return BulkInsert(self._database.dialect, deliveries, _DELIVERY)

    @cached_property
    def _executions(self) -> BulkInsert:
        unique = ("receiver", "dedupe")
        return BulkInsert(self._database.dialect, executions, _EXECUTION, unique)

    def _add_executions(self, connection: Connection, decisions: Sequence[Decision]) -> Firsts:
        """Queue all work but copies, for which it gives what they are copies of."""
        self._sizes.update({decision.delivery.id: 0 for decision in decisions})
        pairs = [(decision, work) for decision in decisions for work in decision.works]
        if not pairs:
            return {}
        rows = [_execution_row(decision, work) for decision, work in pairs]
        added = self._executions.run(connection, rows)
        firsts = {} if added == len(rows) else _firsts(connection, rows)
        for row, (decision, work) in zip(rows, pairs, strict=True):
            if work.execution in firsts:
                continue
            self._sizes[decision.delivery.id] += ROW_BYTES + len(row["event"].encode())
            if work.approval is not None and row["coalesce"]:
                keep_newest(connection, row["slot"], decision.delivery.received)
        _tell_held(connection, pairs, firsts)
        return firsts


def _tell_held(
    connection: Connection, pairs: Sequence[tuple[Decision, Work]], firsts: Firsts
) -> None:
    """Tell of what people have to approve."""
    held = {
        work.execution: decision.delivery.received
        for decision, work in pairs
        if work.approval is not None and work.execution not in firsts
    }
    if held:
        tell(connection, held, max(held.values()), Happened.HELD)


def kept_body(state: DeliveryState, body: bytes) -> bytes:
    """What is kept of a body: all of one that brought work, else 4 KiB with a mark at its end."""
    if state is DeliveryState.ACCEPTED or len(body) <= MAX_KEPT:
        return body
    mark = b"\n[cut: it had %d bytes]" % len(body)
    return body[: MAX_KEPT - len(mark)] + mark


def _live(
    connection: Connection, decisions: Sequence[Decision], now: datetime
) -> Sequence[Decision]:
    asked = {decision.basis for decision in decisions if decision.basis is not None}
    if not asked:
        return decisions
    live = still_live(connection, asked, now)
    return [each for each in decisions if each.basis is None or each.basis in live]


def _firsts(connection: Connection, rows: Sequence[Row]) -> Firsts:
    """Ask by receiver: SQLite finds pairs of two columns without an index only."""
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        names[row["receiver"]].add(row["dedupe"])
    known = {
        (receiver, found.dedupe): _First(found.id, found.delivery)
        for receiver, asked in names.items()
        for found in connection.execute(_FIRSTS, {"of": receiver, "names": list(asked)})
    }
    every = [(row["id"], known[row["receiver"], row["dedupe"]]) for row in rows]
    return {execution: first for execution, first in every if first.execution != execution}


def _revised(delivery: Delivery, firsts: Firsts) -> Delivery:
    """The delivery, with copies among its work marked as such."""
    if firsts.keys().isdisjoint(delivery.executions):
        return delivery
    items = tuple([_revised_item(item, firsts) for item in delivery.items])
    if queued := tuple([each for each in delivery.executions if each not in firsts]):
        return replace(delivery, items=items, executions=queued)
    known = [firsts[each] for each in delivery.executions]
    return replace(
        delivery,
        state=DeliveryState.DUPLICATE,
        items=items,
        executions=tuple([first.execution for first in known]),
        duplicate_of=known[0].delivery,
    )


def _revised_item(item: Item, firsts: Firsts) -> Item:
    if item.execution is None or (first := firsts.get(item.execution)) is None:
        return item
    return replace(item, state=DeliveryState.DUPLICATE, execution=first.execution)


def _delivery_row(delivery: Delivery, body: bytes) -> Row:
    items = [
        {
            "subject": item.subject,
            "state": item.state,
            "reason": item.reason,
            "execution": item.execution,
            **({"message": item.message} if item.message else {}),
            **({"receiver": item.receiver} if item.receiver else {}),
        }
        for item in delivery.items
    ]
    return {
        "id": delivery.id,
        "project": delivery.project,
        "receiver": delivery.receiver,
        "state": delivery.state.value,
        "reason": delivery.reason,
        "items": _encode(items),
        "duplicate_of": delivery.duplicate_of,
        "client": delivery.client,
        "received": micros(delivery.received),
        "body": kept_body(delivery.state, body),
    }


def _execution_row(decision: Decision, work: Work) -> Row:
    delivery = decision.delivery
    received = micros(delivery.received)
    taker = work.taker or Taker(delivery.receiver, decision.driver)
    row: dict[str, Any] = {
        "id": work.execution,
        "project": delivery.project,
        "receiver": taker.receiver,
        "delivery": delivery.id,
        "driver": taker.driver,
        "slot": f"{delivery.project}/{work.slot or taker.receiver}",
        "coalesce": isinstance(work.event, PushEvent),
        "named": work.named,
        "event": _encode(event_to_json(work.event)),
        "identity": work.identity,
        "dedupe": work.identity,
        "ordered": micros(work.ordered_at),
        "state": _QUEUED,
        "reason": None,
        "created": received,
        "due": received,
        "driver_state": "{}",
        "changes": "[]",
        "approvals_needed": None,
        "approve_by": None,
    }
    if work.held_until is not None:
        frozen = {"state": ExecutionState.HELD.value, "reason": Reason.FROZEN.value}
        row |= {**frozen, "due": micros(work.held_until)}
    if work.approval is not None:
        row |= _plain(waiting_for(work.approval, delivery.received))
    return row


def _plain(values: Mapping[str, Any]) -> Row:
    return {
        name: micros(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
