"""Deliveries in SQL, as people read them; ``intake`` and ``refused`` store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, cast, or_, select

from webhook_service.errors import NotFound
from webhook_service.model.delivery import Delivery, DeliveryState, Item, Refusal
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.database.database import Database
from webhook_service.store.filters import Begins, Filter, Indexed
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import deliveries, listeners


def of_receiver(id_: str) -> ColumnElement[bool]:
    """The calls on a receiver, and those on its inboxes that it had a say in."""
    heard = select(listeners.c.inbox).where(listeners.c.receiver == id_)
    said = cast(deliveries.c["items"], Text).contains(f'"receiver":"{id_}"', autoescape=True)
    return or_(deliveries.c.receiver == id_, and_(deliveries.c.receiver.in_(heard), said))


_CALLED = Indexed(deliveries.c.receiver, names_project=True)
_FILTERS: Mapping[str, Filter] = {
    "receiver": _CALLED,
    "inbox": _CALLED,
    "state": Indexed(deliveries.c.state),
    "reason": Indexed(deliveries.c.reason),
    "id": Indexed(deliveries.c.id, names_project=True),
    "idPrefix": Begins(deliveries.c.id),
}


def filters_for(connection: Connection, receiver: str | None) -> Mapping[str, Filter]:
    """What deliveries may be filtered on: those of a receiver that listens are found otherwise."""
    listens = select(listeners.c.inbox).where(listeners.c.receiver == receiver)
    if receiver is None or connection.execute(listens).first() is None:
        return _FILTERS
    return {**_FILTERS, "receiver": of_receiver}


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
        return delivery_from_row(row, row.body)

    def page(self, project: str, page: PageRequest) -> Page[Delivery]:
        """The project's deliveries, newest first."""
        order, build = deliveries.c.seq, delivery_from_row
        with self._database.browse() as connection:
            known = filters_for(connection, (page.filters or {}).get("receiver"))
            return fetch(connection, self._sealer, project, order, page, known, build)


def delivery_from_row(row: Row[Any], body: bytes | None = None) -> Delivery:
    """A delivery from a row of its table."""
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
