"""Inboxes, their endpoint keys, and who listens to them, in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from webhook_service.errors import (
    ChangedMeanwhile,
    InvalidConfig,
    InvalidRequest,
    LimitReached,
    NotFound,
)
from webhook_service.model.ids import fingerprint
from webhook_service.model.inbox import Inbox, InboxSpec
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
    compare,
)
from webhook_service.store.database.database import Database
from webhook_service.store.database.versions import compare_and_set
from webhook_service.store.endpoints.keys import EndpointKeys
from webhook_service.store.filters import Begins, Filter, Indexed
from webhook_service.store.history.audit import write_audited
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import inbox_keys, inboxes, listeners, receivers

MAX_INBOXES = 1000
LIMIT_RETRY = 3600
SHOWN_NAMES = 5

_FIND = (
    select(inboxes.c.id, inboxes.c.generation)
    .join(inbox_keys, inbox_keys.c.inbox == inboxes.c.id)
    .where(
        inbox_keys.c.fingerprint == bindparam("fingerprint"),
        inboxes.c.project == bindparam("project"),
        or_(inbox_keys.c.expires.is_(None), inbox_keys.c.expires > bindparam("now")),
    )
)
_FILTERS: Mapping[str, Filter] = {
    "name": lambda text: inboxes.c.name == text,
    "id": Indexed(inboxes.c.id, names_project=True),
    "idPrefix": Begins(inboxes.c.id),
}


class InboxStore:
    """Reads and writes inboxes, each within its project."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._keys = EndpointKeys(inbox_keys, "inbox", sealer)

    def add(self, inbox: Inbox, key: str, by: Actor = APPLICATION) -> None:
        """Store a new inbox with its first key.

        Raises:
            InvalidConfig: the project has an inbox of this name.
            LimitReached: the project has too many inboxes.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            _require_room(connection, inbox.project)
            connection.execute(
                insert(inboxes).values(
                    id=inbox.id,
                    project=inbox.project,
                    created=inbox.created,
                    updated=inbox.updated,
                    version=inbox.version,
                    generation=inbox.generation,
                    **self._values(inbox.id, inbox.spec),
                )
            )
            self._keys.add(connection, inbox.id, key, self._database.now())
            changes = compare(None, inbox.spec)
            return None, [_told(by, AuditAction.INBOX_CREATED, inbox, changes)]

        try:
            write_audited(self._database, job)
        except IntegrityError as exc:
            raise InvalidConfig(f"The project has an inbox named {inbox.name!r} already.") from exc

    def update(self, old: Inbox, spec: InboxSpec, by: Actor = APPLICATION) -> Inbox:
        """Replace what an inbox says, all but its name, which receivers refer to.

        Args:
            old: what the change was made from.

        Raises:
            NotFound: it was deleted meanwhile.
            ChangedMeanwhile: it is no longer ``old``.
        """

        def job(connection: Connection) -> tuple[Inbox, Sequence[AuditEntry]]:
            values = {
                **self._values(old.id, spec),
                "updated": self._database.now(),
                "generation": inboxes.c.generation + 1,
            }
            changed = compare_and_set(
                connection, inboxes, old, values, noun="inbox", missing=_not_found()
            )
            new = self._inbox(changed)
            changes = (
                *compare(old.spec, new.spec),
                FieldChange("version", old.version, new.version),
            )
            return new, [_told(by, AuditAction.INBOX_UPDATED, new, changes)]

        return write_audited(self._database, job)

    def remove(self, inbox: Inbox, by: Actor = APPLICATION) -> None:
        """Delete an inbox and its keys; its history stays.

        Raises:
            NotFound: it was deleted meanwhile.
            InvalidRequest: receivers listen to it.
            ChangedMeanwhile: one began to listen at this moment.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            _require_unheard(connection, inbox)
            gone = connection.execute(delete(inboxes).where(inboxes.c.id == inbox.id))
            if not gone.rowcount:
                raise _not_found()
            changes = compare(inbox.spec, None)
            return None, [_told(by, AuditAction.INBOX_DELETED, inbox, changes)]

        try:
            write_audited(self._database, job)
        except IntegrityError as exc:
            raise ChangedMeanwhile("A receiver began to listen to the inbox: look again.") from exc

    def rotate(self, inbox: Inbox, key: str, overlap: timedelta, by: Actor = APPLICATION) -> None:
        """Add a key; those before it end after the overlap, or earlier if they already do."""
        now = self._database.now()

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            changes = self._keys.rotate(connection, inbox.id, key, overlap, now)
            return None, [_told(by, AuditAction.INBOX_ROTATED, inbox, changes)]

        write_audited(self._database, job)

    def get(self, project: str, inbox_id: str) -> Inbox:
        """One inbox.

        Raises:
            NotFound: no such inbox in the project.
        """
        query = select(inboxes).where(inboxes.c.id == inbox_id, inboxes.c.project == project)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _not_found()
        return self._inbox(row)

    def named(self, project: str, names: Collection[str]) -> list[Inbox]:
        """The inboxes with these names, in their order.

        Raises:
            InvalidConfig: the project has none of such a name.
        """
        query = select(inboxes).where(inboxes.c.project == project, inboxes.c.name.in_(names))
        with self._database.read() as connection:
            found = {row.name: self._inbox(row) for row in connection.execute(query)}
        for name in names:
            if name not in found:
                raise no_such_inbox(name)
        return [found[name] for name in names]

    def page(self, project: str, page: PageRequest) -> Page[Inbox]:
        """The project's inboxes, newest first."""
        order, build = inboxes.c.id, self._inbox
        with self._database.browse() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, build)

    def listening(self, ids: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        """The names of the receivers that listen to each inbox, by their ids."""
        query = (
            select(listeners.c.inbox, receivers.c.id, receivers.c.name)
            .join(receivers, receivers.c.id == listeners.c.receiver)
            .where(listeners.c.inbox.in_(list(ids)))
            .order_by(receivers.c.name)
        )
        found: dict[str, dict[str, str]] = {}
        with self._database.read() as connection:
            for inbox, receiver, name in connection.execute(query):
                found.setdefault(inbox, {})[receiver] = name
        return found

    def find_by_key(self, project: str, key: str) -> tuple[str, int] | None:
        """Id and generation of the inbox that a live key belongs to, if it is the project's."""
        values = {"fingerprint": fingerprint(key), "project": project, "now": self._database.now()}
        with self._database.read() as connection:
            row = connection.execute(_FIND, values).one_or_none()
        return None if row is None else (row.id, row.generation)

    def keys(self, ids: Collection[str]) -> Mapping[str, str]:
        """The newest key of each inbox that has one, opened."""
        query = (
            select(inbox_keys.c.inbox, inbox_keys.c.sealed)
            .where(inbox_keys.c.inbox.in_(ids), inbox_keys.c.expires.is_(None))
            .order_by(inbox_keys.c.created)
        )
        with self._database.read() as connection:
            newest = {row.inbox: row.sealed for row in connection.execute(query)}
        return {inbox: self._sealer.open(inbox, key) for inbox, key in newest.items()}

    def _values(self, inbox_id: str, spec: InboxSpec) -> dict[str, Any]:
        values = spec.model_dump(mode="json", by_alias=True)
        if spec.verify.secrets:
            secrets = json.dumps(spec.verify.secrets)
            values["verify"]["sealed"] = self._sealer.seal(inbox_id, secrets)
        return values

    def _inbox(self, row: Row[Any]) -> Inbox:
        verify = dict(row.verify)
        if sealed := verify.pop("sealed", None):
            verify["secrets"] = json.loads(self._sealer.open(row.id, sealed))
        found = {"name": row.name, "source": row.source, "verify": verify}
        spec = InboxSpec.model_validate(found)
        moments = (row.created, row.updated, row.version, row.generation)
        return Inbox(row.id, row.project, spec, *moments)


def listen(connection: Connection, project: str, receiver_id: str, names: Collection[str]) -> None:
    """Let a receiver listen to these inboxes alone; those of before and after notice it.

    Raises:
        InvalidConfig: the project has no inbox of such a name.
    """
    notify(connection, receiver_id)
    connection.execute(delete(listeners).where(listeners.c.receiver == receiver_id))
    if not names:
        return
    query = select(inboxes.c.name, inboxes.c.id).where(
        inboxes.c.project == project, inboxes.c.name.in_(names)
    )
    ids = {name: id_ for name, id_ in connection.execute(query.with_for_update())}
    for name in names:
        if name not in ids:
            raise no_such_inbox(name)
    rows = [{"inbox": ids[name], "receiver": receiver_id} for name in dict.fromkeys(names)]
    connection.execute(insert(listeners), rows)
    notify(connection, receiver_id)


def notify(connection: Connection, receiver_id: str) -> None:
    """Let the inboxes of a receiver notice that it has changed."""
    heard = select(listeners.c.inbox).where(listeners.c.receiver == receiver_id)
    statement = update(inboxes).where(inboxes.c.id.in_(heard))
    connection.execute(statement.values(generation=inboxes.c.generation + 1))


def no_such_inbox(name: str) -> InvalidConfig:
    """The refusal of a receiver that wants to listen to nothing."""
    return InvalidConfig(
        f"listen.inboxes: the project has no inbox named {name[:100]!r}; make it first."
    )


def _require_room(connection: Connection, project: str) -> None:
    query = select(func.count()).where(inboxes.c.project == project)
    if connection.execute(query).scalar_one() >= MAX_INBOXES:
        raise LimitReached(
            f"The project has {MAX_INBOXES} inboxes, which is as many as it may have. "
            "Delete one that is not used.",
            LIMIT_RETRY,
        )


def _require_unheard(connection: Connection, inbox: Inbox) -> None:
    query = (
        select(receivers.c.name)
        .join(listeners, listeners.c.receiver == receivers.c.id)
        .where(listeners.c.inbox == inbox.id)
        .order_by(receivers.c.name)
    )
    names = connection.execute(query).scalars().all()
    if names:
        first = ", ".join(names[:SHOWN_NAMES])
        raise InvalidRequest(
            f"{len(names)} of the project's receivers listen to this inbox ({first}"
            f"{', …' if len(names) > SHOWN_NAMES else ''}): take it out of their listen.inboxes, "
            "or delete them, first."
        )


def _told(
    by: Actor, action: AuditAction, inbox: Inbox, changes: Sequence[FieldChange]
) -> AuditEntry:
    return AuditEntry(by, action, inbox.project, inbox.id, None, tuple(changes))


def _not_found() -> NotFound:
    return NotFound("Inbox not found")
