"""Receivers and their endpoint keys in SQL."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from webhook_service.errors import (
    InvalidConfig,
    LimitReached,
    NotFound,
    SettingsError,
    WebhookServiceError,
)
from webhook_service.model.delivery import Reason
from webhook_service.model.execution import ExecutionState
from webhook_service.model.ids import fingerprint, is_v16_key, new_key
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
    compare,
)
from webhook_service.model.receiver import (
    Receiver,
    ReceiverKey,
    ReceiverSpec,
    ReceiverState,
)
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.store.database.database import Database
from webhook_service.store.database.versions import compare_and_set
from webhook_service.store.endpoints.entries import changed_entries, entry, state_entry
from webhook_service.store.endpoints.inboxes import listen, notify
from webhook_service.store.endpoints.keys import EndpointKeys
from webhook_service.store.endpoints.rows import ReceiverRows
from webhook_service.store.filters import Begins, Filter, Indexed
from webhook_service.store.history.audit import Audited, write_audited
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import (
    Moment,
    executions,
    keys,
    listeners,
    receivers,
    sightings,
)

log = logging.getLogger(__name__)
T = TypeVar("T")
LIMIT_RETRY = 3600
MAX_TARGETS = 10_000

# Built once: this runs for every call on the endpoint.
_FIND = (
    select(receivers.c.id, receivers.c.version)
    .join(keys, keys.c.receiver == receivers.c.id)
    .where(
        keys.c.fingerprint == bindparam("fingerprint"),
        receivers.c.project == bindparam("project"),
        or_(keys.c.expires.is_(None), keys.c.expires > bindparam("now")),
    )
)
_NAMED: Select[Any] = select(
    *(receivers.c.id, receivers.c.project, receivers.c.name, receivers.c.driver)
)
_LET_RUN = (
    update(executions)
    .where(
        executions.c.receiver == bindparam("of_receiver"),
        executions.c.state == ExecutionState.HELD.value,
        executions.c.reason == Reason.SUSPENDED.value,
    )
    .values(
        state=ExecutionState.QUEUED.value,
        reason=None,
        due=bindparam("now", type_=Moment),
        queue="ready",
    )
    .returning(executions.c.id)
)
# Its rules may say otherwise now. What has no due time waits for an answer, not for a rule.
_DECIDE_AGAIN = (
    update(executions)
    .where(
        executions.c.receiver == bindparam("of_receiver"),
        executions.c.state == ExecutionState.HELD.value,
        executions.c.reason.in_((Reason.MINIMUM_AGE.value, Reason.AFTER.value)),
        executions.c.due.is_not(None),
    )
    .values(due=bindparam("now", type_=Moment), queue="ready")
    .returning(executions.c.id)
)
_FILTERS: Mapping[str, Filter] = {
    "name": lambda text: receivers.c.name == text,
    "driver": lambda text: receivers.c.driver == text,
    "state": lambda text: receivers.c.state == text,
    "id": Indexed(receivers.c.id, names_project=True),
    "idPrefix": Begins(receivers.c.id),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What one receiver changes, and by whose leave."""

    project: str
    receiver: str
    name: str
    driver: str
    config: Mapping[str, Any]
    approval: ApprovalRule | None


class ReceiverStore:
    """Reads and writes receivers, each within its project.

    Args:
        most: receivers that a project may have; 0 is no limit.
    """

    def __init__(self, database: Database, sealer: Sealer, most: int = 0) -> None:
        self._database = database
        self._most = most
        self._sealer = sealer
        self._rows = ReceiverRows(sealer, database.now)
        self._keys = EndpointKeys(keys, "receiver", sealer)

    def add(self, receiver: Receiver, key: str, by: Actor = APPLICATION) -> None:
        """Store a new receiver with its first key, if it is to have a URL.

        Raises:
            InvalidConfig: the project has a receiver of this name, or no such inbox, or another
                receiver has the key.
            LimitReached: the project has too many receivers.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            self._require_room(connection, receiver.project)
            self._require_new(connection, key)
            row = self._rows.values(receiver.id, receiver.spec)
            connection.execute(
                insert(receivers).values(
                    id=receiver.id,
                    project=receiver.project,
                    created=receiver.created,
                    updated=receiver.updated,
                    version=receiver.version,
                    **row,
                )
            )
            listen(connection, receiver.project, receiver.id, receiver.spec.listen.inboxes)
            if receiver.spec.listen.own_url:
                self._keys.add(connection, receiver.id, key, receiver.created)
            changes = compare(None, receiver.spec)
            return None, [entry(by, AuditAction.RECEIVER_CREATED, receiver, changes)]

        self._write_named(job, receiver.name)

    def update(
        self, old: Receiver, spec: ReceiverSpec, by: Actor = APPLICATION
    ) -> tuple[Receiver, Sequence[str]]:
        """Replace what a receiver says; gives also the ids of what it held and may run now.

        Args:
            old: what the change was made from.

        Raises:
            NotFound: it was deleted meanwhile.
            ChangedMeanwhile: it is no longer ``old``.
            InvalidConfig: another receiver of the project has the name.
        """
        receiver_id = old.id

        def job(
            connection: Connection,
        ) -> tuple[tuple[Receiver, Sequence[str]], Sequence[AuditEntry]]:
            values = {
                **self._rows.values(receiver_id, spec),
                "updated": self._database.now(),
            }
            changed = compare_and_set(
                connection, receivers, old, values, noun="receiver", missing=_not_found()
            )
            # Other rules follow other tags: what they find at first was there before.
            connection.execute(delete(sightings).where(sightings.c.receiver == receiver_id))
            receiver = self._rows.read(changed)
            listen(connection, old.project, receiver_id, spec.listen.inboxes)
            if spec.listen.own_url != old.spec.listen.own_url:
                self._set_url(connection, receiver)
            now = self._database.now()
            held = {"now": now, "of_receiver": receiver_id}
            woken = connection.execute(_DECIDE_AGAIN, held).scalars().all()
            woken = [*_let_run(connection, changed, now), *woken]
            return (receiver, woken), changed_entries(by, old, receiver)

        return self._write_named(job, spec.name)

    def suspend(self, project: str, receiver_id: str, by: Actor = APPLICATION) -> Receiver:
        """Let a receiver's calls be ignored; what it has queued is held when its turn comes.

        Raises:
            NotFound: no such receiver in the project.
        """

        def job(connection: Connection) -> tuple[Receiver, Sequence[AuditEntry]]:
            old, changed = self._set_state(
                connection, project, receiver_id, ReceiverState.SUSPENDED
            )
            told = state_entry(by, AuditAction.RECEIVER_SUSPENDED, old, changed)
            return self._rows.read(changed), [told]

        return write_audited(self._database, job)

    def resume(
        self, project: str, receiver_id: str, by: Actor = APPLICATION
    ) -> tuple[Receiver, Sequence[str]]:
        """End a suspension, and let run what it held; gives the ids of that.

        Raises:
            NotFound: no such receiver in the project.
        """

        def job(
            connection: Connection,
        ) -> tuple[tuple[Receiver, Sequence[str]], Sequence[AuditEntry]]:
            old, changed = self._set_state(connection, project, receiver_id, ReceiverState.ACTIVE)
            # What was pushed meanwhile was ignored, and is not to be found as lost now.
            connection.execute(delete(sightings).where(sightings.c.receiver == receiver_id))
            told = state_entry(by, AuditAction.RECEIVER_RESUMED, old, changed)
            freed = _let_run(connection, changed, self._database.now())
            return (self._rows.read(changed), freed), [told]

        return write_audited(self._database, job)

    def remove(self, project: str, receiver_id: str, by: Actor = APPLICATION) -> None:
        """Delete a receiver and its keys; its history stays.

        Raises:
            NotFound: no such receiver in the project.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            where = (receivers.c.id == receiver_id, receivers.c.project == project)
            found = connection.execute(_NAMED.where(*where)).one_or_none()
            if found is None:
                raise _not_found()
            changes = self._fields_of(connection, found)
            notify(connection, receiver_id)
            connection.execute(delete(receivers).where(*where))
            return None, [entry(by, AuditAction.RECEIVER_DELETED, found, changes)]

        write_audited(self._database, job)

    def get(self, project: str, receiver_id: str) -> Receiver:
        """One receiver.

        Raises:
            NotFound: no such receiver in the project.
        """
        query = select(receivers).where(
            receivers.c.id == receiver_id, receivers.c.project == project
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _not_found()
        return self._rows.read(row)

    def page(self, project: str, page: PageRequest) -> Page[Receiver]:
        """The project's receivers, newest first."""
        order, build = receivers.c.id, self._rows.read
        with self._database.browse() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, build)

    def listening(self, inbox_id: str) -> list[Receiver]:
        """The receivers that listen to an inbox; one that cannot be read is logged."""
        query = (
            select(receivers)
            .join(listeners, listeners.c.receiver == receivers.c.id)
            .where(listeners.c.inbox == inbox_id)
            .order_by(receivers.c.id)
        )
        with self._database.read() as connection:
            return list(self._readable(connection.execute(query).all()))

    def targets(self) -> list[Target]:
        """What the newest 10,000 receivers of all projects change."""
        newest = select(receivers).order_by(receivers.c.id.desc()).limit(MAX_TARGETS)
        with self._database.read() as connection:
            return [_target(row) for row in connection.execute(newest)]

    def approved_targets(self, project: str) -> list[Target]:
        """What those receivers of a project change whose pushes have to be approved."""
        query = select(receivers).where(
            receivers.c.project == project, receivers.c.approval.is_not(None)
        )
        with self._database.read() as connection:
            return [_target(row) for row in connection.execute(query)]

    def find_by_key(self, project: str, key: str) -> tuple[str, int] | None:
        """Id and version of the receiver that a live key belongs to, if it is the project's."""
        values = {"fingerprint": fingerprint(key), "project": project, "now": self._database.now()}
        with self._database.read() as connection:
            row = connection.execute(_FIND, values).one_or_none()
        return None if row is None else (row.id, row.version)

    def key(self, receiver_id: str) -> ReceiverKey:
        """The newest key of a receiver, opened.

        Raises:
            NotFound: the receiver has no key: it listens to inboxes only, or was deleted.
        """
        query = (
            select(keys)
            .where(keys.c.receiver == receiver_id, keys.c.expires.is_(None))
            .order_by(keys.c.created.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(
                "The receiver has no URL: it listens to inboxes only, or was deleted meanwhile."
            )
        secret = self._sealer.open(receiver_id, row.sealed)
        return ReceiverKey(receiver_id, secret, row.created)

    def keys(self, receiver_ids: Collection[str]) -> Mapping[str, str]:
        """The newest key of each receiver that has one, opened."""
        query = (
            select(keys.c.receiver, keys.c.sealed)
            .where(keys.c.receiver.in_(receiver_ids), keys.c.expires.is_(None))
            .order_by(keys.c.created)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        newest = {row.receiver: row.sealed for row in rows}
        return {receiver: self._sealer.open(receiver, key) for receiver, key in newest.items()}

    def require_free(self, project: str, name: str, key: str | None = None) -> None:
        """Make sure, before anything costs time, that a name, and a key of v1.6, can be had.

        Raises:
            InvalidConfig: the project has a receiver of this name, or some project one of the key.
        """
        query = select(receivers.c.id).where(
            receivers.c.project == project, receivers.c.name == name
        )
        with self._database.read() as connection:
            if connection.execute(query).first() is not None:
                raise _taken(name)
            if key is not None:
                self._require_new(connection, key)

    def rotate(
        self,
        project: str,
        receiver_id: str,
        key: str,
        overlap: timedelta,
        by: Actor = APPLICATION,
    ) -> None:
        """Add a key; those before it end after the overlap, or earlier if they already do.

        Raises:
            NotFound: no such receiver in the project.
        """
        now = self._database.now()

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            where = (receivers.c.id == receiver_id, receivers.c.project == project)
            query = select(receivers).where(*where)
            receiver: Row[Any] | None = connection.execute(query).one_or_none()
            if receiver is None:
                raise _not_found()
            if not receiver.listen.get("ownUrl", True):
                raise InvalidConfig(
                    "The receiver has no URL of its own: rotate that of the inbox that it listens "
                    "to."
                )
            changes = self._keys.rotate(connection, receiver_id, key, overlap, now)
            return None, [entry(by, AuditAction.RECEIVER_ROTATED, receiver, changes)]

        write_audited(self._database, job)

    def _require_room(self, connection: Connection, project: str) -> None:
        query = select(func.count()).where(receivers.c.project == project)
        if self._most and connection.execute(query).scalar_one() >= self._most:
            raise LimitReached(
                f"The project has {self._most} receivers, which is as many as it may have "
                "(WEBHOOK_SERVICE_MAX_RECEIVERS). Delete one that is not used.",
                LIMIT_RETRY,
            )

    def _require_new(self, connection: Connection, key: str) -> None:
        """A key that was drawn is new; one that was taken over may have been so before."""
        query = select(keys.c.receiver).where(keys.c.fingerprint == fingerprint(key))
        if is_v16_key(key) and connection.execute(query).first() is not None:
            raise InvalidConfig("This key belongs to a receiver already.")

    def _set_url(self, connection: Connection, receiver: Receiver) -> None:
        """Give a receiver a URL, or take it away for good."""
        self._keys.remove(connection, receiver.id)
        if receiver.spec.listen.own_url:
            self._keys.add(connection, receiver.id, new_key(), receiver.updated)

    def _set_state(
        self, connection: Connection, project: str, receiver_id: str, state: ReceiverState
    ) -> tuple[str, Row[Any]]:
        """The state before, and the receiver after."""
        where = (receivers.c.id == receiver_id, receivers.c.project == project)
        query = select(receivers.c.state).where(*where).with_for_update()
        old = connection.execute(query).scalar_one_or_none()
        if old is None:
            raise _not_found()
        values = {"state": state.value, "updated": self._database.now()}
        changed = update(receivers).where(*where).values(version=receivers.c.version + 1, **values)
        notify(connection, receiver_id)
        return old, connection.execute(changed.returning(receivers)).one()

    def _write_named(self, job: Audited[T], name: str) -> T:
        try:
            return write_audited(self._database, job)
        except IntegrityError as exc:
            raise _taken(name) from exc

    def _readable(self, rows: Iterable[Row[Any]]) -> Iterator[Receiver]:
        for row in rows:
            try:
                yield self._rows.read(row)
            except WebhookServiceError as exc:
                log.error("The receiver %s hears nothing of its inbox: %s", row.id, exc)

    def _fields_of(self, connection: Connection, found: Row[Any]) -> Sequence[FieldChange]:
        """What a receiver said that goes now; it can also be removed if it cannot be read."""
        query = select(receivers).where(receivers.c.id == found.id)
        try:
            return compare(self._rows.read(connection.execute(query).one()).spec, None)
        except (SettingsError, InvalidConfig, json.JSONDecodeError):
            return [FieldChange("name", found.name), FieldChange("driver", found.driver)]


def _target(row: Row[Any]) -> Target:
    rule = None if row.approval is None else ApprovalRule.model_validate(row.approval)
    return Target(row.project, row.id, row.name, row.driver, row.config, rule)


def _taken(name: str) -> InvalidConfig:
    return InvalidConfig(f"Cannot have duplicate webhook name, webhook {name} already exists")


def _not_found() -> NotFound:
    return NotFound("Webhook not found")


def _let_run(connection: Connection, receiver: Row[Any], now: datetime) -> Sequence[str]:
    """Queue what the suspension of a receiver held, if it is active now."""
    if receiver.state != ReceiverState.ACTIVE:
        return []
    named = {"now": now, "of_receiver": receiver.id}
    return connection.execute(_LET_RUN, named).scalars().all()
