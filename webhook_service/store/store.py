"""The store as a whole: one database with all that is kept in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from webhook_service.errors import SettingsError
from webhook_service.settings import Settings
from webhook_service.store import migrate
from webhook_service.store.ages import AgeStore
from webhook_service.store.chores import ChoreStore
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import sqlite_file, sqlite_files
from webhook_service.store.endpoints.inboxes import InboxStore
from webhook_service.store.endpoints.receivers import ReceiverStore
from webhook_service.store.history.approvals import ApprovalStore
from webhook_service.store.history.audit import AuditStore
from webhook_service.store.history.deliveries import DeliveryStore
from webhook_service.store.history.drifts import DriftStore
from webhook_service.store.history.executions import ExecutionStore
from webhook_service.store.history.figures import FigureStore
from webhook_service.store.history.log import LogStore
from webhook_service.store.history.refused import RefusedStore
from webhook_service.store.history.releases import ReleaseStore
from webhook_service.store.history.replays import ReplayStore
from webhook_service.store.history.revisions import RevisionStore
from webhook_service.store.intake import Intake
from webhook_service.store.limits.limits import Limits, limits_of
from webhook_service.store.limits.room import Room
from webhook_service.store.people.holds import HoldStore
from webhook_service.store.people.notifications import NotificationStore
from webhook_service.store.people.projects import ProjectStore
from webhook_service.store.people.sessions import SessionStore
from webhook_service.store.people.tokens import TokenStore
from webhook_service.store.queue.outages import OutageStore
from webhook_service.store.queue.queue import Queue
from webhook_service.store.secrets import secret_key
from webhook_service.store.secrets.configured import configured_keys, key_file
from webhook_service.store.secrets.sealing import Sealer, warn_if_open
from webhook_service.store.secrets.vote_links import VoteLinks
from webhook_service.store.seen_tags import SightingStore
from webhook_service.telemetry.redaction import remember_secrets


class Store:
    """Receivers, inboxes, deliveries, executions, claims and tokens of one database.

    Args:
        database: whose schema is current (see ``open_store``).
        sealer: opens and seals endpoint keys.
        lease: seconds a claimed execution is a worker's own unless it is renewed.
        limits: of what is stored; by default there are none.

    Attributes:
        now: gives the time by the database's clock, which is the one of all hosts.
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
        self.now = database.now
        self._sealer = sealer
        self._room = room = Room(database, limits)
        self.receivers = ReceiverStore(database, sealer, limits.max_receivers)
        self.inboxes = InboxStore(database, sealer)
        self.notifications = NotificationStore(database, sealer)
        self.vote_links = VoteLinks(sealer)
        self.holds = HoldStore(database)
        self.intake = Intake(database, room)
        self.deliveries = DeliveryStore(database, sealer)
        self.refused = RefusedStore(database)
        self.executions = ExecutionStore(database, sealer)
        self.replays = ReplayStore(database, room.executions)
        self.revisions = RevisionStore(database)
        self.approvals = ApprovalStore(database)
        self.releases = ReleaseStore(database)
        self.chores = ChoreStore(database)
        self.ages = AgeStore(database)
        self.outages = OutageStore(database)
        self.drifts = DriftStore(database)
        self.sightings = SightingStore(database)
        self.claims = Queue(database, lease, sealer=sealer)
        self.tokens = TokenStore(database, sealer, limits.max_tokens)
        self.sessions = SessionStore(database)
        self.audit = AuditStore(database, sealer)
        self.log = LogStore(database, sealer)
        self.figures = FigureStore(database)
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
    database = Database(settings.database_url, tolerance=lease / 3)
    try:
        remember_secrets([*settings.passwords, settings.metrics_token])
        if key_file(settings, database.url) is None:
            configured_keys(settings, database.url)  # a missing one is said before all else
        database.require_fitting_url()
        _require_not_emptied(settings, database)
        migrate.require_current(database)
        secret_key.require_not_lost(database, key_file(settings, database.url))
        # Made after the tables: a key without them is taken for what a lost file left behind.
        secret_keys = configured_keys(settings, database.url)
        remember_secrets(secret_keys)
        sealer = Sealer(secret_keys)
        secret_key.require_opens(database, sealer)
        database.set_clock()
        warn_if_open(_files(settings, database), settings.secret_key_file)
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
    if (own := key_file(settings, database.url)) is not None:
        yield own


def _require_not_emptied(settings: Settings, database: Database) -> None:
    """Make sure that an empty file is a new installation: a lost one leaves its key behind."""
    own = key_file(settings, database.url)
    if own is None or not own.exists() or migrate.current_revision(database) is not None:
        return
    file = sqlite_file(database.url)
    raise SettingsError(
        f"{file} is empty, and its secret key {own} is there: so data is missing. Restore a "
        "backup (webhook-service restore FILE). If nothing is missing, make an empty database: "
        "webhook-service migrate."
    )
