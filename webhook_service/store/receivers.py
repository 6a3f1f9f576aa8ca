"""Receivers and their endpoint keys in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from webhook_service.errors import (
    ChangedMeanwhile,
    InvalidConfig,
    LimitReached,
    NotFound,
    SettingsError,
)
from webhook_service.model.approval_rule import ApprovalRule
from webhook_service.model.audit import (
    APPLICATION,
    CHANGED,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
    compare,
)
from webhook_service.model.delivery import Basis, Reason
from webhook_service.model.execution import ExecutionState
from webhook_service.model.ids import fingerprint, is_v16_key
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.receiver import (
    HIDDEN,
    Receiver,
    ReceiverKey,
    ReceiverSpec,
    ReceiverState,
)
from webhook_service.store.database import Database
from webhook_service.store.history.audit import Audited, write_audited
from webhook_service.store.pages import fetch
from webhook_service.store.sealing import Sealer
from webhook_service.store.tables import Moment, executions, keys, micros, receivers, sightings

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
_LIVE = """SELECT keys.fingerprint, keys.receiver, receivers.version
    FROM keys JOIN receivers ON receivers.id = keys.receiver
    WHERE (keys.expires IS NULL OR keys.expires > {place}) AND keys.fingerprint IN ({places})"""
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
_FILTERS = {
    "name": receivers.c.name,
    "driver": receivers.c.driver,
    "state": receivers.c.state,
    "id": receivers.c.id,
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

    def add(self, receiver: Receiver, key: str, by: Actor = APPLICATION) -> None:
        """Store a new receiver with its first key.

        Raises:
            InvalidConfig: the project has a receiver of this name, or another one has the key.
            LimitReached: the project has too many receivers.
        """

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            self._require_room(connection, receiver.project)
            self._require_new(connection, key)
            row = self._values(receiver.id, receiver.spec)
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
            self._add_key(connection, receiver.id, key, receiver.created)
            changes = compare(None, receiver.spec)
            return None, [_told(by, AuditAction.RECEIVER_CREATED, receiver, changes)]

        self._write_named(job, receiver.name)

    def update(
        self, old: Receiver, spec: ReceiverSpec, by: Actor = APPLICATION
    ) -> tuple[Receiver, Sequence[str]]:
        """Replace what a receiver says; gives also the ids of what its suspension held, if it ends.

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
            same = (receivers.c.id == receiver_id, receivers.c.project == old.project)
            changed = connection.execute(
                update(receivers)
                .where(*same, receivers.c.version == old.version)
                .values(
                    updated=datetime.now(UTC),
                    version=receivers.c.version + 1,
                    **self._values(receiver_id, spec),
                )
                .returning(receivers)
            ).one_or_none()
            if changed is None:
                if connection.execute(select(receivers.c.id).where(*same)).first() is None:
                    raise _not_found()
                raise ChangedMeanwhile(
                    "The receiver was changed by somebody else at the same time, and not by this "
                    "request; read it again, and repeat the change if it is still right."
                )
            # Other rules follow other tags: what they find at first was there before.
            connection.execute(delete(sightings).where(sightings.c.receiver == receiver_id))
            receiver = self._receiver(changed)
            return (receiver, _let_run(connection, changed)), _told_of_update(by, old, receiver)

        return self._write_named(job, spec.name)

    def suspend(self, project: str, receiver_id: str, by: Actor = APPLICATION) -> Receiver:
        """Let a receiver's calls be ignored; what it has queued is held when its turn comes.

        Raises:
            NotFound: no such receiver in the project.
        """

        def job(connection: Connection) -> tuple[Receiver, Sequence[AuditEntry]]:
            old, changed = _set_state(connection, project, receiver_id, ReceiverState.SUSPENDED)
            told = _told_of_state(by, AuditAction.RECEIVER_SUSPENDED, old, changed)
            return self._receiver(changed), [told]

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
            old, changed = _set_state(connection, project, receiver_id, ReceiverState.ACTIVE)
            # What was pushed meanwhile was ignored, and is not to be found as lost now.
            connection.execute(delete(sightings).where(sightings.c.receiver == receiver_id))
            told = _told_of_state(by, AuditAction.RECEIVER_RESUMED, old, changed)
            return (self._receiver(changed), _let_run(connection, changed)), [told]

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
            connection.execute(delete(receivers).where(*where))
            return None, [_told(by, AuditAction.RECEIVER_DELETED, found, changes)]

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
        return self._receiver(row)

    def page(self, project: str, page: PageRequest) -> Page[Receiver]:
        """The project's receivers, newest first."""
        order, build = receivers.c.id, self._receiver
        with self._database.read() as connection:
            return fetch(connection, self._sealer, project, order, page, _FILTERS, build)

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
        values = {"fingerprint": fingerprint(key), "project": project, "now": datetime.now(UTC)}
        with self._database.read() as connection:
            row = connection.execute(_FIND, values).one_or_none()
        return None if row is None else (row.id, row.version)

    def key(self, receiver_id: str) -> ReceiverKey:
        """The newest key of a receiver, opened.

        Raises:
            NotFound: the receiver has no key: it was deleted.
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
            raise _not_found()
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
        now = datetime.now(UTC)

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            where = (receivers.c.id == receiver_id, receivers.c.project == project)
            query = select(receivers).where(*where)
            receiver: Row[Any] | None = connection.execute(query).one_or_none()
            if receiver is None:
                raise _not_found()
            old = keys.c.receiver == receiver_id
            end = now + overlap
            later = or_(keys.c.expires.is_(None), keys.c.expires > end)
            connection.execute(delete(keys).where(old, keys.c.expires <= now))
            connection.execute(update(keys).where(old, later).values(expires=end))
            self._add_key(connection, receiver_id, key, now)
            changes = (
                FieldChange("key", HIDDEN, CHANGED),
                FieldChange("overlapSeconds", None, overlap.total_seconds()),
            )
            return None, [_told(by, AuditAction.RECEIVER_ROTATED, receiver, changes)]

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

    def _add_key(
        self, connection: Connection, receiver_id: str, key: str, created: datetime
    ) -> None:
        connection.execute(
            insert(keys).values(
                fingerprint=fingerprint(key),
                receiver=receiver_id,
                sealed=self._sealer.seal(receiver_id, key),
                created=created,
            )
        )

    def _write_named(self, job: Audited[T], name: str) -> T:
        try:
            return write_audited(self._database, job)
        except IntegrityError as exc:
            raise _taken(name) from exc

    def _values(self, receiver_id: str, spec: ReceiverSpec) -> dict[str, Any]:
        values = spec.model_dump(mode="json", by_alias=True)
        polled = spec.registry is not None and spec.registry.poll is not None
        values["poll_due"] = datetime.now(UTC) if polled else None
        if spec.verify.secrets:
            secrets = json.dumps(spec.verify.secrets)
            values["verify"]["sealed"] = self._sealer.seal(receiver_id, secrets)
        values["sealed_config"] = None
        if spec.secret_config is not None:
            secrets = json.dumps(spec.secret_config)
            values["sealed_config"] = self._sealer.seal(receiver_id, secrets)
        return values

    def _receiver(self, row: Row[Any]) -> Receiver:
        values = dict(row._mapping)
        verify = dict(values["verify"])
        if sealed := verify.pop("sealed", None):
            verify["secrets"] = json.loads(self._sealer.open(values["id"], sealed))
        values["verify"] = verify
        sealed = values.pop("sealed_config")
        values["secret_config"] = sealed and json.loads(self._sealer.open(values["id"], sealed))
        try:
            spec = ReceiverSpec.model_validate(
                {name: values[name] for name in ReceiverSpec.model_fields}
            )
        except ValidationError as exc:
            raise InvalidConfig(
                f"The stored receiver {row.id} cannot be read ({exc.error_count()} errors): "
                "delete it, and create it again."
            ) from exc
        return Receiver(
            values["id"],
            values["project"],
            spec,
            values["created"],
            values["updated"],
            values["version"],
        )

    def _fields_of(self, connection: Connection, found: Row[Any]) -> Sequence[FieldChange]:
        """What a receiver said that goes now; it can also be removed if it cannot be read."""
        query = select(receivers).where(receivers.c.id == found.id)
        try:
            return compare(self._receiver(connection.execute(query).one()).spec, None)
        except (SettingsError, InvalidConfig, json.JSONDecodeError):
            return [FieldChange("name", found.name), FieldChange("driver", found.driver)]


def still_live(connection: Connection, asked: Collection[Basis]) -> Set[Basis]:
    """Those whose key is live, and whose receiver has still this version."""
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = _LIVE.format(place=place, places=", ".join([place] * len(asked)))
    values = (micros(datetime.now(UTC)), *[basis.fingerprint for basis in asked])
    return {Basis(*row) for row in connection.exec_driver_sql(statement, values)}


def _target(row: Row[Any]) -> Target:
    rule = None if row.approval is None else ApprovalRule.model_validate(row.approval)
    return Target(row.project, row.id, row.name, row.driver, row.config, rule)


def _taken(name: str) -> InvalidConfig:
    return InvalidConfig(f"Cannot have duplicate webhook name, webhook {name} already exists")


def _not_found() -> NotFound:
    return NotFound("Webhook not found")


def _set_state(
    connection: Connection, project: str, receiver_id: str, state: ReceiverState
) -> tuple[str, Row[Any]]:
    """The state before, and the receiver after."""
    where = (receivers.c.id == receiver_id, receivers.c.project == project)
    query = select(receivers.c.state).where(*where).with_for_update()
    old = connection.execute(query).scalar_one_or_none()
    if old is None:
        raise _not_found()
    values = {"state": state.value, "updated": datetime.now(UTC)}
    changed = update(receivers).where(*where).values(version=receivers.c.version + 1, **values)
    return old, connection.execute(changed.returning(receivers)).one()


def _told(
    by: Actor, action: AuditAction, receiver: Receiver | Row[Any], changes: Sequence[FieldChange]
) -> AuditEntry:
    return AuditEntry(by, action, receiver.project, receiver.id, receiver.id, tuple(changes))


def _told_of_state(by: Actor, action: AuditAction, old: str, changed: Row[Any]) -> AuditEntry:
    changes = [] if old == changed.state else [FieldChange("state", old, changed.state)]
    return _told(by, action, changed, [*changes, _next_version(changed.version)])


def _told_of_update(by: Actor, old: Receiver, new: Receiver) -> Sequence[AuditEntry]:
    """An update may also suspend or resume, which is an entry of its own."""
    changes = compare(old.spec, new.spec)
    version = _next_version(new.version)
    state = [change for change in changes if change.field == "state"]
    other = [change for change in changes if change.field != "state"]
    found = []
    if state:
        turned = AuditAction.RECEIVER_SUSPENDED if new.suspended else AuditAction.RECEIVER_RESUMED
        found.append(_told(by, turned, new, [*state, version]))
    if other or not state:
        found.append(_told(by, AuditAction.RECEIVER_UPDATED, new, [*other, version]))
    return found


def _next_version(version: int) -> FieldChange:
    return FieldChange("version", version - 1, version)


def _let_run(connection: Connection, receiver: Row[Any]) -> Sequence[str]:
    """Queue what the suspension of a receiver held, if it is active now."""
    if receiver.state != ReceiverState.ACTIVE:
        return []
    named = {"now": datetime.now(UTC), "of_receiver": receiver.id}
    return connection.execute(_LET_RUN, named).scalars().all()
