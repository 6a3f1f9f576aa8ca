"""Refused calls in SQL: the newest twenty of each receiver, as deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from webhook_service.errors import StoreUnavailable
from webhook_service.model.delivery import Delivery
from webhook_service.store.database.database import Database
from webhook_service.store.notices import tell_refused
from webhook_service.store.tables import REFUSED, deliveries

KEPT = 20

_OF_RECEIVER = (deliveries.c.receiver == bindparam("of"), REFUSED)
_OLDEST_KEPT = (
    select(deliveries.c.seq)
    .where(*_OF_RECEIVER)
    .order_by(deliveries.c.seq.desc())
    .limit(1)
    .offset(KEPT - 1)
    .scalar_subquery()
)
_FORGET = delete(deliveries).where(*_OF_RECEIVER, deliveries.c.seq < _OLDEST_KEPT)


class RefusedStore:
    """Stores refused calls, and forgets the older ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, delivery: Delivery, body: bytes) -> None:
        """Begin to store a refused call; nobody waits for it, and it is lost if there is no room.

        Args:
            body: what to keep of it.
        """
        with suppress(StoreUnavailable):
            self._database.submit(_store, _row(delivery, body))


def _store(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[None]:
    connection.execute(insert(deliveries), list(rows))
    for receiver in sorted({row["receiver"] for row in rows}):
        connection.execute(_FORGET, {"of": receiver})
    tell_refused(connection, rows)
    return [None] * len(rows)


def _row(delivery: Delivery, body: bytes) -> dict[str, Any]:
    refusal = {} if delivery.refusal is None else asdict(delivery.refusal)
    refusal.pop("body", None)
    return {
        "id": delivery.id,
        "project": delivery.project,
        "receiver": delivery.receiver,
        "state": delivery.state.value,
        "reason": delivery.reason,
        "items": [],
        "client": delivery.client,
        "received": delivery.received,
        "body": body,
        "refusal": refusal,
    }
