"""Endpoint keys: what the URLs of receivers and of inboxes carry, by fingerprint and sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, delete, insert, or_, update

from webhook_service.model.ids import fingerprint
from webhook_service.model.people.audit import CHANGED, FieldChange
from webhook_service.model.receiver import HIDDEN
from webhook_service.store.secrets.sealing import Sealer


@dataclass(frozen=True, slots=True)
class EndpointKeys:
    """The keys of one kind of URL.

    Args:
        table: where they are.
        owner: the column that says whose they are.
    """

    table: Table
    owner: str
    sealer: Sealer

    def add(self, connection: Connection, owner: str, key: str, now: datetime) -> None:
        """Let a key lead to its owner from now on."""
        values = {
            "fingerprint": fingerprint(key),
            self.owner: owner,
            "sealed": self.sealer.seal(owner, key),
            "created": now,
        }
        connection.execute(insert(self.table).values(values))

    def rotate(
        self, connection: Connection, owner: str, key: str, overlap: timedelta, now: datetime
    ) -> tuple[FieldChange, ...]:
        """Add a key; those before it end after the overlap, or earlier if they already do.

        Returns:
            What the audit says of it.
        """
        expires, end = self.table.c.expires, now + overlap
        own = self.table.c[self.owner] == owner
        later = or_(expires.is_(None), expires > end)
        connection.execute(delete(self.table).where(own, expires <= now))
        connection.execute(update(self.table).where(own, later).values(expires=end))
        self.add(connection, owner, key, now)
        return (
            FieldChange("key", HIDDEN, CHANGED),
            FieldChange("overlapSeconds", None, overlap.total_seconds()),
        )

    def remove(self, connection: Connection, owner: str) -> None:
        """End all keys of an owner at once."""
        connection.execute(delete(self.table).where(self.table.c[self.owner] == owner))
