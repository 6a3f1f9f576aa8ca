"""Backup and restore: a whole copy of the database, checked before it takes a place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from webhook_service.errors import InvalidConfig, SettingsError
from webhook_service.settings import Settings
from webhook_service.store import migrate
from webhook_service.store.backup.locked_key import lock, unlock
from webhook_service.store.backup.sqlite_copy import copy_whole, set_aside
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import parse_url, sqlite_file, sqlite_files
from webhook_service.store.secrets.configured import configured_keys, key_file
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.secrets.secret_key import require_opens
from webhook_service.store.tables import OPEN, executions


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup; ``key`` is the file with its locked key, if there is one."""

    file: Path
    key: Path | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to.

    Attributes:
        file: the database.
        replaced: where the database is now that was there before.
        open: executions that had not ended: they run when the service starts.
    """

    file: Path
    replaced: Path | None
    open: int


def back_up(settings: Settings, file: Path, passphrase: str | None = None) -> Backup:
    """Copy the database while the service runs.

    Args:
        file: a file that does not exist yet.
        passphrase: with one, the secret key is put beside the file, locked.

    Raises:
        InvalidConfig: the file exists, there is no database, or the passphrase is too short.
        SettingsError: the database is a PostgreSQL.
        StoreUnavailable: it was not copied.
    """
    source, locked = _sqlite(settings), _locked_key(file)
    if not source.exists():
        raise InvalidConfig(f"There is no database {source}.")
    for path in (file, locked):
        if path.exists():
            raise InvalidConfig(f"{path} exists already; nothing was overwritten.")
    keys = passphrase and lock(
        configured_keys(settings, parse_url(settings.database_url)), passphrase
    )
    copy_whole(source, file)
    if not keys:
        return Backup(file, None)
    _write_private(locked, keys)
    return Backup(file, locked)


def put_back(
    settings: Settings, file: Path, passphrase: str | None = None, *, replace: bool = False
) -> Restored:
    """Put a backup in the database's place.

    Args:
        passphrase: what the key beside the backup was locked with.
        replace: set a database aside that is there now.

    Raises:
        InvalidConfig: the backup cannot be used here; nothing was changed.
        SettingsError: the secret key is not the one of the backup, or the database is a PostgreSQL.
        StoreUnavailable: a file is damaged or in use.
    """
    target = _sqlite(settings)
    if not file.is_file():
        raise InvalidConfig(f"There is no file {file}.")
    is_there = _has_tables(target)
    if is_there and not replace:
        raise InvalidConfig(f"{target} is a database; --replace sets it aside.")
    keys = _keys_for(settings, file, passphrase)
    made = target.with_name(f"{target.name}.restoring")
    _remove(made)
    try:
        copy_whole(file, made)
        count = _require_fits(made, keys)
        aside = _free_name(target) if is_there else None
        if aside is not None:
            set_aside(target, aside)
        _remove(target)
        os.replace(made, target)
    finally:
        _remove(made)
    path = key_file(settings, parse_url(settings.database_url))
    if path is not None and not path.exists():
        _write_private(path, "\n".join(keys) + "\n")
    return Restored(target, aside, count)


def _sqlite(settings: Settings) -> Path:
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise SettingsError(
            "This command is for SQLite. A PostgreSQL is backed up with pg_dump and restored with "
            "pg_restore: see docs/backup.md."
        )
    return sqlite_file(url)


def _locked_key(file: Path) -> Path:
    return file.with_name(file.name + ".key")


def _keys_for(settings: Settings, file: Path, passphrase: str | None) -> Sequence[str]:
    """The keys that are to open the backup: of this deployment, or those beside the backup."""
    url, locked = parse_url(settings.database_url), _locked_key(file)
    own = key_file(settings, url)
    if own is None or own.exists():
        return configured_keys(settings, url)
    if not locked.exists():
        raise InvalidConfig(
            f"The backup's secret key is not here: put it into {own}, or set "
            "WEBHOOK_SERVICE_SECRET_KEY."
        )
    if passphrase is None:
        raise InvalidConfig(f"The key {locked} is locked: give its --passphrase.")
    return unlock(locked.read_text(), passphrase)


def _has_tables(file: Path) -> bool:
    if not file.exists() or not file.stat().st_size:
        return False
    database = Database(f"sqlite:///{file}")
    try:
        return migrate.current_revision(database) is not None
    finally:
        database.close()


def _require_fits(file: Path, keys: Sequence[str]) -> int:
    """Make sure that this version can use a copy; how many of its executions are open."""
    database = Database(f"sqlite:///{file}")
    try:
        if migrate.current_revision(database) is None:
            raise InvalidConfig("The backup holds no tables of webhook-service.")
        migrate.require_current(database)
        require_opens(database, Sealer(keys))
        with database.read() as connection:
            query = select(func.count()).select_from(executions).where(OPEN)
            count: int = connection.execute(query).scalar_one()
    finally:
        database.close()
    return count


def _free_name(target: Path) -> Path:
    number = 1
    while (path := target.with_name(f"{target.name}.replaced-{number}")).exists():
        number += 1
    return path


def _remove(file: Path) -> None:
    for path in sqlite_files(parse_url(f"sqlite:///{file}")):
        with suppress(FileNotFoundError):
            path.unlink()


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
