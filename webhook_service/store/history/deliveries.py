"""Deliveries in SQL, as people read them; ``intake`` and ``refused`` store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from webhook_service.errors import NotFound
from webhook_service.model.delivery import Delivery, DeliveryState, Item, Refusal
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.database import Database
from webhook_service.store.pages import fetch
from webhook_service.store.sealing import Sealer
from webhook_service.store.tables import deliveries

_FILTERS = {
    "receiver": deliveries.c.receiver,
    "state": deliveries.c.state,
    "reason": deliveries.c.reason,
    "id": deliveries.c.id,
}


class DeliveryStore:
    """Reads deliveries, each within its project."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

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
        return _delivery(row, row.body)

    def page(self, project: str, page: PageRequest) -> Page[Delivery]:
        """The project's deliveries, newest first."""
        order = deliveries.c.seq
        with self._database.read() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, _delivery)


def _delivery(row: Row[Any], body: bytes | None = None) -> Delivery:
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
        refusal=_refusal(row.refusal, body),
    )


def _refusal(stored: Mapping[str, Any] | None, body: bytes | None) -> Refusal | None:
    if stored is None:
        return None
    return Refusal(**stored, body=(body or b"").decode("utf-8", "replace"))
