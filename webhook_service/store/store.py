"""The store as a whole: one database with all that is kept in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from webhook_service.errors import SettingsError
from webhook_service.settings import Settings
from webhook_service.store import migrate, secret_key
from webhook_service.store.chores import ChoreStore
from webhook_service.store.database import Database
from webhook_service.store.dialects import sqlite_file, sqlite_files
from webhook_service.store.history.approvals import ApprovalStore
from webhook_service.store.history.audit import AuditStore
from webhook_service.store.history.deliveries import DeliveryStore
from webhook_service.store.history.executions import ExecutionStore
from webhook_service.store.history.refused import RefusedStore
from webhook_service.store.history.replays import ReplayStore
from webhook_service.store.history.revisions import RevisionStore
from webhook_service.store.intake import Intake
from webhook_service.store.limits.limits import Limits, limits_of
from webhook_service.store.limits.room import Room
from webhook_service.store.projects import ProjectStore
from webhook_service.store.queue.queue import Queue
from webhook_service.store.receivers import ReceiverStore
from webhook_service.store.sealing import Sealer, read_or_make_key, split_keys, warn_if_open
from webhook_service.store.seen_tags import SightingStore
from webhook_service.store.tokens import TokenStore
from webhook_service.telemetry.redaction import remember_secrets


class Store:
    """Receivers, deliveries, executions, claims and tokens of one database.

    Args:
        database: whose schema is current (see ``open_store``).
        sealer: opens and seals endpoint keys.
        lease: seconds a claimed execution is a worker's own unless it is renewed.
        limits: of what is stored; by default there are none.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        lease: float = 30.0,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self.database = database
        self._sealer = sealer
        self._room = room = Room(database, limits)
        self.receivers = ReceiverStore(database, sealer, limits.max_receivers)
        self.intake = Intake(database, room)
        self.deliveries = DeliveryStore(database, sealer)
        self.refused = RefusedStore(database)
        self.executions = ExecutionStore(database, sealer)
        self.replays = ReplayStore(database, room.executions)
        self.revisions = RevisionStore(database)
        self.approvals = ApprovalStore(database)
        self.chores = ChoreStore(database)
        self.sightings = SightingStore(database)
        self.claims = Queue(database, lease, sealer=sealer)
        self.tokens = TokenStore(database, limits.max_tokens)
        self.audit = AuditStore(database, sealer)
        self.projects = ProjectStore(database)

    def ping(self) -> None:
        """Make sure that calls can be stored.

        Raises:
            StoreUnavailable: the database does not answer, took no write the last time, or its
                disk is too full for calls.
        """
        self.database.require_writable()
        self._room.disk.require()
        with self.database.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def reseal(self) -> int:
        """Seal every secret again with the newest key; raises SettingsError if one stays shut."""
        return secret_key.reseal(self.database, self._sealer)

    def close(self) -> None:
        """Finish the queued writes and close the connections."""
        self.database.close()


def open_store(settings: Settings, lease: float = 30.0) -> Store:
    """Open the database that the settings name, with a current schema.

    Raises:
        SettingsError: a setting cannot be used, the schema does not fit, or the secret key is not
            the one that sealed what is stored.
        StoreUnavailable: the database does not answer.
    """
    database = Database(settings.database_url)
    try:
        secret_keys = _secret_keys(settings, database)
        remember_secrets([*secret_keys, *settings.passwords])
        sealer = Sealer(secret_keys)
        database.require_fitting_url()
        migrate.require_current(database)
        secret_key.require_opens(database, sealer)
        warn_if_open(_files(settings, database))
    except BaseException:
        database.close()
        raise
    return Store(database, sealer, lease, limits_of(settings))


def _files(settings: Settings, database: Database) -> Iterator[Path]:
    """The files that hold secrets."""
    if settings.secret_key_file is not None:
        yield settings.secret_key_file
    if database.is_sqlite:
        yield from sqlite_files(database.url)
        yield _key_file(database)


def _key_file(database: Database) -> Path:
    return sqlite_file(database.url).with_suffix(".key")


def _secret_keys(settings: Settings, database: Database) -> list[str]:
    if settings.secret_key is not None:
        return split_keys(settings.secret_key)
    if settings.secret_key_file is not None:
        return _read_key_file(settings.secret_key_file)
    if database.is_sqlite:
        return read_or_make_key(_key_file(database))
    raise SettingsError(
        "WEBHOOK_SERVICE_SECRET_KEY or WEBHOOK_SERVICE_SECRET_KEY_FILE must be set with "
        "PostgreSQL: any secret text of at least 16 characters, the same for every host."
    )


def _read_key_file(path: Path) -> list[str]:
    try:
        return split_keys(path.read_text())
    except OSError as exc:
        raise SettingsError(
            f"WEBHOOK_SERVICE_SECRET_KEY_FILE: {path} cannot be read: {exc.strerror}."
        ) from exc
