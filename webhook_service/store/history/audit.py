"""The audit in SQL: written with what it tells of, and read by people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, insert

from webhook_service.errors import InvalidRequest
from webhook_service.model.as_json import time_from_json
from webhook_service.model.audit import Actor, AuditAction, AuditEntry, FieldChange
from webhook_service.model.pages import Page, PageRequest
from webhook_service.store.database import Database
from webhook_service.store.pages import Filter, fetch
from webhook_service.store.sealing import Sealer
from webhook_service.store.tables import audit


def _does(text: str) -> ColumnElement[bool]:
    if text not in list(AuditAction):
        raise InvalidRequest(
            f"There is no action {text[:100]!r}; possible: {', '.join(AuditAction)}."
        )
    return audit.c.action == text


_FILTERS: Mapping[str, Filter] = {
    "receiver": audit.c.receiver,
    "actor": audit.c.actor,
    "via": audit.c.via,
    "action": _does,
    "subject": audit.c.subject,
    "id": audit.c.id,
    "since": lambda text: audit.c.at >= time_from_json("since", text),
    "until": lambda text: audit.c.at < time_from_json("until", text),
}
MAX_ADDRESS = 64

log = logging.getLogger(__name__)
T = TypeVar("T")
Audited = Callable[[Connection], tuple[T, Sequence[AuditEntry]]]
"""Makes a change; gives its result, and what the audit is to say of it."""


class AuditStore:
    """Reads the audit of a project."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def page(self, project: str, page: PageRequest) -> Page[AuditEntry]:
        """The project's entries, newest first.

        The filters ``since`` (inclusive) and ``until`` (exclusive) are times in ISO 8601.

        Raises:
            InvalidRequest: a filter cannot be used.
        """
        with self._database.read() as connection:
            return fetch(connection, self._sealer, project, audit.c.id, page, _FILTERS, _entry)


def write_audited(database: Database, job: Audited[T]) -> T:
    """Make a change and store what the audit says of it, in one transaction of the writer.

    Raises:
        StoreUnavailable, InvalidRequest, IntegrityError: see ``Database.write``.
    """

    def whole(connection: Connection) -> tuple[T, Sequence[AuditEntry]]:
        result, entries = job(connection)
        if entries:
            connection.execute(insert(audit), [_row(entry) for entry in entries])
        return result, entries

    result, entries = database.write(whole)
    for entry in entries:
        _log(entry)
    return result


def _log(entry: AuditEntry) -> None:
    """Of what changed only the names: logs go further than answers do."""
    fields = ", ".join(change.field for change in entry.changes)
    actor = entry.actor
    log.info(
        "audit %s: %s %s in project %s by %s (%s%s)%s",
        *(entry.id, entry.action, entry.subject, entry.project, actor.name, actor.via),
        f" {actor.address}" if actor.address else "",
        f": {fields}" if fields else "",
    )


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "project": entry.project,
        "action": entry.action.value,
        "subject": entry.subject,
        "receiver": entry.receiver,
        "actor": entry.actor.name,
        "via": entry.actor.via,
        "address": entry.actor.address[:MAX_ADDRESS],
        "changes": [asdict(change) for change in entry.changes],
        "at": entry.at,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        actor=Actor(row.actor, row.via, row.address),
        action=AuditAction(row.action),
        project=row.project,
        subject=row.subject,
        receiver=row.receiver,
        changes=tuple(FieldChange(**change) for change in row.changes),
        id=row.id,
        at=row.at,
    )
