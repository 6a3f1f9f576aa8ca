"""Deliveries in SQL: accepting one with its executions is a single transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select
from sqlalchemy.sql.dml import ReturningInsert

from webhook_service.delivery import Delivery, DeliveryState, Item, Reason, Work
from webhook_service.driver import PushEvent
from webhook_service.errors import NotFound
from webhook_service.events import event_to_json
from webhook_service.execution import ExecutionState
from webhook_service.store.database import Database
from webhook_service.store.dialects import insert_into
from webhook_service.store.pages import Page, PageRequest, fetch
from webhook_service.store.tables import deliveries, executions

# Built once: these run for every call on the endpoint.
_INSERT_DELIVERY = insert(deliveries)
_FIRST = select(executions.c.id, executions.c.delivery).where(
    executions.c.receiver == bindparam("of"), executions.c.dedupe == bindparam("identity")
)
_FILTERS = {
    "receiver": deliveries.c.receiver,
    "state": deliveries.c.state,
    "reason": deliveries.c.reason,
    "id": deliveries.c.id,
}


@dataclass(frozen=True, slots=True)
class _First:
    """The execution that already has a work's identity."""

    execution: str
    delivery: str


@cache
def _insert_execution(dialect: str) -> ReturningInsert[tuple[int]]:
    """Gives no row for an execution whose identity the receiver has already."""
    statement = insert_into(dialect, executions)
    return statement.on_conflict_do_nothing(index_elements=["receiver", "dedupe"]).returning(
        executions.c.seq
    )


class DeliveryStore:
    """Reads and writes deliveries, each within its project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(
        self, delivery: Delivery, works: Sequence[Work], driver: str, body: bytes
    ) -> Delivery:
        """Store a call with the work it brings; returns it as decided, after the commit.

        Work whose identity the receiver already has becomes an item that is a duplicate; a call
        with nothing else in it is one itself.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        return self._database.write(
            lambda connection: _accept(connection, delivery, works, driver, body)
        )

    def get(self, project: str, delivery_id: str) -> Delivery:
        """One delivery.

        Raises:
            NotFound: no such delivery in the project.
        """
        query = select(deliveries).where(
            deliveries.c.id == delivery_id, deliveries.c.project == project
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("Delivery not found")
        return _delivery(row)

    def page(self, project: str, page: PageRequest) -> Page[Delivery]:
        """The project's deliveries, newest first."""
        query = select(deliveries).where(deliveries.c.project == project)
        with self._database.read() as connection:
            return fetch(connection, query, deliveries.c.seq, page, _FILTERS, _delivery)


def _accept(
    connection: Connection, delivery: Delivery, works: Sequence[Work], driver: str, body: bytes
) -> Delivery:
    firsts = [_add_execution(connection, delivery, work, driver) for work in works]
    decided = _decide(delivery, works, firsts)
    connection.execute(
        _INSERT_DELIVERY,
        {
            "id": decided.id,
            "project": decided.project,
            "receiver": decided.receiver,
            "state": decided.state,
            "reason": decided.reason,
            "items": [asdict(item) for item in decided.items],
            "duplicate_of": decided.duplicate_of,
            "client": decided.client,
            "received": decided.received,
            "body": body,
        },
    )
    return decided


def _add_execution(
    connection: Connection, delivery: Delivery, work: Work, driver: str
) -> _First | None:
    """Queue the work, or give the execution that has its identity already."""
    values = {
        "id": work.execution,
        "project": delivery.project,
        "receiver": delivery.receiver,
        "delivery": delivery.id,
        "driver": driver,
        "slot": f"{delivery.project}/{work.slot or delivery.receiver}",
        "coalesce": isinstance(work.event, PushEvent),
        "named": work.named,
        "event": event_to_json(work.event),
        "identity": work.identity,
        "dedupe": work.identity,
        "ordered": work.ordered_at,
        "state": ExecutionState.HELD if work.held_until else ExecutionState.QUEUED,
        "reason": Reason.FROZEN if work.held_until else None,
        "created": delivery.received,
        "due": work.held_until or delivery.received,
        "driver_state": {},
        "changes": [],
    }
    statement = _insert_execution(connection.dialect.name)
    if connection.execute(statement, values).one_or_none() is not None:
        return None
    first = connection.execute(_FIRST, {"of": delivery.receiver, "identity": work.identity}).one()
    return _First(first.id, first.delivery)


def _decide(delivery: Delivery, works: Sequence[Work], firsts: Sequence[_First | None]) -> Delivery:
    items = list(delivery.items)
    for work, first in zip(works, firsts, strict=True):
        state = DeliveryState.ACCEPTED if first is None else DeliveryState.DUPLICATE
        execution = work.execution if first is None else first.execution
        items.append(Item(work.subject, state, execution=execution))
    queued = tuple(
        work.execution for work, first in zip(works, firsts, strict=True) if first is None
    )
    known = [first for first in firsts if first is not None]
    if queued:
        state, reason = DeliveryState.ACCEPTED, None
    elif known:
        state, reason = DeliveryState.DUPLICATE, None
    else:
        state, reason = DeliveryState.IGNORED, delivery.reason
    return replace(
        delivery,
        state=state,
        reason=reason,
        items=tuple(items),
        executions=queued or tuple(first.execution for first in known),
        duplicate_of=known[0].delivery if known and not queued else None,
    )


def _delivery(row: Row[Any]) -> Delivery:
    items = tuple(Item(**item) for item in row.items)
    return Delivery(
        id=row.id,
        project=row.project,
        receiver=row.receiver,
        state=DeliveryState(row.state),
        received=row.received,
        reason=row.reason,
        items=items,
        executions=tuple(item.execution for item in items if item.execution),
        duplicate_of=row.duplicate_of,
        client=row.client,
    )
