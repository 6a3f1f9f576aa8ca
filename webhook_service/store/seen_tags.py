"""Sightings in SQL: what was last seen at registries, and which receiver is to be looked after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select, update

from webhook_service.driver import PushEvent
from webhook_service.images import Image
from webhook_service.model.as_json import event_from_json
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import insert_into
from webhook_service.store.tables import POLLED, deliveries, executions, receivers, sightings

CLIENT = "reconcile"
"""Where a delivery comes from that no call brought, as deliveries say it."""
MAX_DELIVERIES = 1000
BATCH = 500


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tag as it was last seen; ``changes`` counts how often it had been moved.

    Without a digest it was seen in a list only; with an empty one it was not there.
    """

    digest: str | None
    changes: int
    looked: datetime


class SightingStore:
    """Remembers tags and their digests, for each receiver that polls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_due(self) -> tuple[str, str] | None:
        """Project and id of the receiver that is to be looked after first, if one is due."""
        query = (
            select(receivers.c.project, receivers.c.id)
            .where(POLLED, receivers.c.poll_due <= self._database.now())
            .order_by(receivers.c.poll_due)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.project, row.id)

    def rest(self, receiver: str, seconds: float) -> None:
        """Let a receiver be for so many seconds."""
        due = self._database.now() + timedelta(seconds=seconds)
        statement = update(receivers).where(receivers.c.id == receiver, POLLED)
        self._database.write(lambda connection: connection.execute(statement.values(poll_due=due)))

    def known(self, receiver: str, repository: str) -> dict[str, Sighting]:
        """What was seen of a repository, by tag."""
        query = select(sightings).where(
            sightings.c.receiver == receiver, sightings.c.repository == repository
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.tag: Sighting(row.digest, row.changes, row.looked) for row in rows}

    def note(self, receiver: str, repository: str, seen: Mapping[str, Sighting]) -> None:
        """Remember what was seen; nothing, if the receiver was deleted meanwhile."""
        rows = [
            {
                "receiver": receiver,
                "repository": repository,
                "tag": tag,
                "digest": sighting.digest,
                "changes": sighting.changes,
                "looked": sighting.looked,
            }
            for tag, sighting in seen.items()
        ]
        for start in range(0, len(rows), BATCH):
            self._database.write(partial(_note, receiver, rows[start : start + BATCH]))

    def told(self, receiver: str, image: Image, since: datetime) -> list[PushEvent] | None:
        """The pushes of a repository that calls have brought since a moment.

        None if there were so many calls that they are not looked through.
        """
        newest = (
            select(deliveries.c.id, deliveries.c.received, deliveries.c.client)
            .where(deliveries.c.receiver == receiver)
            .order_by(deliveries.c.seq.desc())
            .limit(MAX_DELIVERIES)
            .subquery()
        )
        seen = select(func.count(), func.min(newest.c.received))
        query = (
            select(executions.c.event)
            .join(newest, executions.c.delivery == newest.c.id)
            .where(newest.c.received >= since, newest.c.client != CLIENT)
        )
        with self._database.read() as connection:
            count, oldest = connection.execute(seen).one()
            if count == MAX_DELIVERIES and oldest >= since:
                return None
            events = [event_from_json(row.event) for row in connection.execute(query)]
        pushes = (event for event in events if isinstance(event, PushEvent))
        return [push for push in pushes if push.reference.name == image.name]


def _note(receiver: str, rows: Sequence[Mapping[str, Any]], connection: Connection) -> None:
    owner = select(receivers.c.id).where(receivers.c.id == receiver).with_for_update()
    if connection.execute(owner).one_or_none() is None:
        return
    statement = insert_into(connection.dialect.name, sightings)
    changed = {name: statement.excluded[name] for name in ("digest", "changes", "looked")}
    key = ["receiver", "repository", "tag"]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)
