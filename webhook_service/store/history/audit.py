"""The audit in SQL: written with what it tells of, and read by people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, and_, insert

from webhook_service.errors import InvalidRequest
from webhook_service.model.as_json import time_from_json
from webhook_service.model.ids import earliest_id
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import (
    AUDIT,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
)
from webhook_service.store.database.database import Database
from webhook_service.store.filters import Filter, Indexed
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import audit

_FILTERS: Mapping[str, Filter] = {
    "receiver": Indexed(audit.c.receiver, names_project=True),
    "actor": Indexed(audit.c.actor),
    "via": Indexed(audit.c.via),
    "action": Indexed(audit.c.action),
    "subject": Indexed(audit.c.subject, names_project=True),
    "id": Indexed(audit.c.id, names_project=True),
    "since": lambda text: _since(time_from_json("since", text)),
    "until": lambda text: _until(time_from_json("until", text)),
}
MAX_ADDRESS = 64
# Ids are made by a host's clock, and times by the database's. A host says so when they are seconds
# apart.
_CLOCKS_APART = timedelta(days=1)

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
        _require_action((page.filters or {}).get("action"))
        with self._database.browse() as connection:
            return fetch(connection, self._sealer, project, audit.c.id, page, _FILTERS, _entry)


def _since(moment: datetime) -> ColumnElement[bool]:
    """Ids are in the order of time: by them the list's own index ends where nothing matches."""
    return and_(audit.c.at >= moment, audit.c.id >= earliest_id(AUDIT, moment - _CLOCKS_APART))


def _until(moment: datetime) -> ColumnElement[bool]:
    """Likewise, where it begins."""
    return and_(audit.c.at < moment, audit.c.id < earliest_id(AUDIT, moment + _CLOCKS_APART))


def _require_action(name: str | None) -> None:
    if name is not None and name not in list(AuditAction):
        raise InvalidRequest(
            f"There is no action {name[:100]!r}; possible: {', '.join(AuditAction)}."
        )


def write_audited(database: Database, job: Audited[T]) -> T:
    """Make a change and store what the audit says of it, in one transaction of the writer.

    Raises:
        StoreUnavailable, InvalidRequest, IntegrityError: see ``Database.write``.
    """

    def whole(connection: Connection) -> tuple[T, Sequence[AuditEntry]]:
        result, told = job(connection)
        entries = [replace(entry, at=database.now()) for entry in told]
        add_entries(connection, entries)
        return result, entries

    result, entries = database.write(whole)
    for entry in entries:
        log_entry(entry)
    return result


def add_entries(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Store what the audit says, within the transaction of what it tells of."""
    if entries:
        connection.execute(insert(audit), [_row(entry) for entry in entries])


def log_entry(entry: AuditEntry) -> None:
    """Of what changed only the names: logs go further than answers do."""
    fields = ", ".join(change.field for change in entry.changes)
    actor = entry.actor
    log.info(
        "audit %s: %s %s in project %s by %s (%s%s)%s",
        *(entry.id, entry.action, entry.subject, entry.project, actor.name, actor.via),
        f" {actor.address}" if actor.address else "",
        f": {fields}" if fields else "",
        extra={
            "project": entry.project,
            "receiver": entry.receiver,
            "audit": entry.id,
            "action": entry.action,
            "actor": actor.name,
        },
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
