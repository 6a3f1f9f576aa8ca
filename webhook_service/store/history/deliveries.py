"""Deliveries in SQL: accepting one with its executions is a single transaction."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from sqlalchemy import Row, select

from webhook_service.errors import NotFound, StoreUnavailable
from webhook_service.model.delivery import Decision, Delivery, DeliveryState, Item
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.database import Database, wait
from webhook_service.store.intake import Intake
from webhook_service.store.pages import fetch
from webhook_service.store.tables import deliveries

_FILTERS = {
    "receiver": deliveries.c.receiver,
    "state": deliveries.c.state,
    "reason": deliveries.c.reason,
    "id": deliveries.c.id,
}


class DeliveryStore:
    """Reads and writes deliveries, each within its project."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = Intake(database.dialect).store

    def submit(self, decision: Decision) -> Future[Delivery | None]:
        """Begin to store a call with the work it brings.

        Work whose identity the receiver already has becomes an item that is a duplicate; a call
        with nothing else in it is one itself.

        Returns:
            The call as decided, after the commit. None if nothing was stored, because what the
            decision is based on is no longer so.

        Raises:
            StoreUnavailable: nothing was stored; the future may also raise it.
        """
        return self._database.submit(self._store, decision)

    def accept(self, decision: Decision) -> Delivery:
        """The same, waiting for the commit.

        Raises:
            StoreUnavailable: nothing was stored.
        """
        if (delivery := wait(self.submit(decision))) is None:
            raise StoreUnavailable("The receiver is being changed; nothing was stored.")
        return delivery

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
