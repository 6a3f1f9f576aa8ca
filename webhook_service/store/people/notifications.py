"""Notifications in SQL, and the notices that each has sent."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from webhook_service.driver import Request
from webhook_service.errors import InvalidConfig, LimitReached, NotFound
from webhook_service.model.execution import Execution
from webhook_service.model.notice import Notice
from webhook_service.model.notification import (
    NoticeSent,
    Notification,
    NotificationSpec,
    notices_of,
)
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
from webhook_service.store.filters import Filter, Indexed
from webhook_service.store.history.audit import write_audited
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.notices import add_notices
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import executions, notifications

MAX_NOTIFICATIONS = 50
LIMIT_RETRY = 3600

_N = notifications.c
_FILTERS: Mapping[str, Filter] = {
    "name": lambda text: _N.name == text,
    "kind": lambda text: _N.kind == text,
    "id": lambda text: _N.id == text,
}
_NOTICES: Mapping[str, Filter] = {
    "state": Indexed(executions.c.state),
    "id": Indexed(executions.c.id, names_project=True),
    "notification": Indexed(executions.c.receiver, names_project=True),
}


class NotificationStore:
    """Reads and writes notifications, each within its project."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def add(self, notification: Notification, by: Actor = APPLICATION) -> None:
        """Store a new notification.

        Raises:
            InvalidConfig: the project has one of this name.
            LimitReached: the project has fifty.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            _require_room(connection, notification.project)
            connection.execute(
                insert(notifications).values(
                    id=notification.id,
                    project=notification.project,
                    created=notification.created,
                    updated=notification.updated,
                    version=notification.version,
                    **self._values(notification.id, notification.spec),
                )
            )
            changes = compare(None, notification.spec)
            return None, [_told(by, AuditAction.NOTIFICATION_CREATED, notification, changes)]

        try:
            write_audited(self._database, job)
        except IntegrityError as exc:
            raise _name_taken(notification.spec) from exc

    def update(
        self, old: Notification, spec: NotificationSpec, by: Actor = APPLICATION
    ) -> Notification:
        """Replace what a notification says.

        Args:
            old: what the change was made from.

        Raises:
            NotFound: it was deleted meanwhile.
            InvalidConfig: the project has another one of this name.
            ChangedMeanwhile: it is no longer ``old``.
        """

        def job(connection: Connection) -> tuple[Notification, Sequence[AuditEntry]]:
            values = {**self._values(old.id, spec), "updated": self._database.now()}
            changed = compare_and_set(
                connection, notifications, old, values, noun="notification", missing=_not_found()
            )
            new = self._notification(changed)
            changes = (
                *compare(old.spec, new.spec),
                FieldChange("version", old.version, new.version),
            )
            return new, [_told(by, AuditAction.NOTIFICATION_UPDATED, new, changes)]

        try:
            return write_audited(self._database, job)
        except IntegrityError as exc:
            raise _name_taken(spec) from exc

    def remove(self, notification: Notification, by: Actor = APPLICATION) -> None:
        """Delete a notification; what it has not sent yet is not sent any more.

        Raises:
            NotFound: it was deleted meanwhile.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            gone = connection.execute(delete(notifications).where(_N.id == notification.id))
            if not gone.rowcount:
                raise _not_found()
            changes = compare(notification.spec, None)
            return None, [_told(by, AuditAction.NOTIFICATION_DELETED, notification, changes)]

        write_audited(self._database, job)

    def get(self, project: str, notification_id: str) -> Notification:
        """One notification.

        Raises:
            NotFound: no such notification in the project.
        """
        query = select(notifications).where(_N.id == notification_id, _N.project == project)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _not_found()
        return self._notification(row)

    def find(self, notification_id: str) -> Notification | None:
        """The notification with this id, of any project."""
        query = select(notifications).where(_N.id == notification_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else self._notification(row)

    def page(self, project: str, page: PageRequest) -> Page[Notification]:
        """The project's notifications, newest first."""
        order, build = _N.id, self._notification
        with self._database.read() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, build)

    def test(
        self, notification: Notification, notice: Notice, by: Actor = APPLICATION
    ) -> Execution:
        """Queue a notice for this notification alone."""

        def job(connection: Connection) -> tuple[Row[Any], Sequence[AuditEntry]]:
            (id_,) = add_notices(connection, [(notification.id, notice)], self._database.now())
            row = connection.execute(select(executions).where(executions.c.id == id_)).one()
            return row, [_told(by, AuditAction.NOTIFICATION_TESTED, notification, ())]

        return execution_from_row(write_audited(self._database, job))

    def notices(self, project: str, notification: str, page: PageRequest) -> Page[NoticeSent]:
        """What a notification has sent or is to send, newest first."""
        asked = replace(page, filters={**(page.filters or {}), "notification": notification})
        order, of = executions.c.seq, notices_of(project)
        with self._database.browse() as connection:
            return fetch(connection, self._sealer, of, order, asked, _NOTICES, _sent)

    def last(self, project: str, ids: Collection[str]) -> Mapping[str, NoticeSent]:
        """The newest notice of some notifications, by their ids."""
        newest = (
            select(func.max(executions.c.seq))
            .where(executions.c.project == notices_of(project), executions.c.receiver.in_(ids))
            .group_by(executions.c.receiver)
        )
        with self._database.read() as connection:
            rows = connection.execute(select(executions).where(executions.c.seq.in_(newest)))
            return {row.receiver: _sent(row) for row in rows}

    def _values(self, id_: str, spec: NotificationSpec) -> dict[str, Any]:
        # As its driver takes it: what is sealed is the whole of it.
        shown: dict[str, Any] = {"kind": spec.kind, "when": spec.when, "config": spec.config}
        if spec.votes:
            shown["voter"] = spec.voter
        sealed = None
        if spec.secret_config is not None:
            whole = json.dumps({**shown, "config": spec.secret_config})
            sealed = self._sealer.seal(id_, whole)
        return {
            "name": spec.name,
            "kind": spec.kind,
            "on": list(spec.on),
            "when": spec.when,
            "config": shown,
            "sealed_config": sealed,
        }

    def _notification(self, row: Row[Any]) -> Notification:
        secret = None
        if row.sealed_config is not None:
            secret = json.loads(self._sealer.open(row.id, row.sealed_config))["config"]
        spec = NotificationSpec(
            name=row.name,
            kind=row.kind,
            on=tuple(row.on),
            when=row.when,
            votes="voter" in row.config,
            config=row.config["config"],
            secret_config=secret,
        )
        return Notification(row.id, row.project, spec, row.created, row.updated, row.version)


def _sent(row: Row[Any]) -> NoticeSent:
    execution = execution_from_row(row)
    assert isinstance(execution.event, Request)
    notice = Notice.from_bytes(execution.event.body)
    about = notice.execution or notice.delivery
    return NoticeSent(execution, notice.happened, notice.image, about)


def _require_room(connection: Connection, project: str) -> None:
    count = select(func.count()).where(_N.project == project)
    if connection.execute(count).scalar_one() >= MAX_NOTIFICATIONS:
        raise LimitReached(
            f"The project has {MAX_NOTIFICATIONS} notifications, which is as many as it may have; "
            "delete one that nobody needs.",
            LIMIT_RETRY,
        )


def _told(
    by: Actor,
    action: AuditAction,
    notification: Notification,
    changes: tuple[FieldChange, ...],
) -> AuditEntry:
    return AuditEntry(by, action, notification.project, notification.id, None, changes)


def _name_taken(spec: NotificationSpec) -> InvalidConfig:
    return InvalidConfig(f"The project has a notification named {spec.name!r} already.")


def _not_found() -> NotFound:
    return NotFound("Notification not found")
