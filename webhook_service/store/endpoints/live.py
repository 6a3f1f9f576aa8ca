"""Whether what a decision is based on is still so: asked by the writer, for each group of calls."""

from __future__ import annotations

from collections.abc import Collection, Set
from datetime import datetime

from sqlalchemy import Connection

from webhook_service.model.delivery import Basis
from webhook_service.model.inbox import is_inbox
from webhook_service.store.database.hot import execute_hot
from webhook_service.store.tables import micros

_LIVE = """SELECT keys.fingerprint, keys.receiver, receivers.version
    FROM keys JOIN receivers ON receivers.id = keys.receiver
    WHERE (keys.expires IS NULL OR keys.expires > {place}) AND keys.fingerprint IN ({places})"""
_LIVE_INBOXES = """SELECT keys.fingerprint, keys.inbox, inboxes.generation
    FROM inbox_keys AS keys JOIN inboxes ON inboxes.id = keys.inbox
    WHERE (keys.expires IS NULL OR keys.expires > {place}) AND keys.fingerprint IN ({places})"""


def still_live(connection: Connection, asked: Collection[Basis], now: datetime) -> Set[Basis]:
    """Those whose key is live now, and whose receiver or inbox has still this version."""
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    found: set[Basis] = set()
    for query, of_inbox in ((_LIVE, False), (_LIVE_INBOXES, True)):
        marks = [basis.fingerprint for basis in asked if is_inbox(basis.receiver) is of_inbox]
        if marks:
            statement = query.format(place=place, places=", ".join([place] * len(marks)))
            rows = execute_hot(connection, statement, (micros(now), *marks))
            found.update(Basis(*row) for row in rows)
    return found
