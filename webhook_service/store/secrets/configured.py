"""The secret keys that a deployment uses: those of the settings, or of the file beside SQLite's."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL

from webhook_service.errors import SettingsError
from webhook_service.settings import Settings
from webhook_service.store.database.dialects import sqlite_file
from webhook_service.store.secrets.sealing import read_keys, read_or_make_key, split_keys


def key_file(settings: Settings, url: URL) -> Path | None:
    """The file that the service makes its key in; None if it does not, as the settings have one."""
    is_set = settings.secret_key is not None or settings.secret_key_file is not None
    is_sqlite = url.get_backend_name() == "sqlite"
    return sqlite_file(url).with_suffix(".key") if is_sqlite and not is_set else None


def configured_keys(settings: Settings, url: URL) -> list[str]:
    """The secret keys, the newest first; with SQLite one is made if there is none.

    Raises:
        SettingsError: none is set, and one must be; or the file cannot be read.
    """
    if settings.secret_key is not None:
        return split_keys(settings.secret_key)
    if settings.secret_key_file is not None:
        return _read_key_file(settings.secret_key_file)
    if (path := key_file(settings, url)) is not None:
        return read_or_make_key(path)
    raise SettingsError(
        "WEBHOOK_SERVICE_SECRET_KEY or WEBHOOK_SERVICE_SECRET_KEY_FILE must be set with "
        "PostgreSQL: any secret text of at least 16 characters, the same for every host."
    )


def _read_key_file(path: Path) -> list[str]:
    try:
        return read_keys(path)
    except SettingsError as exc:
        raise SettingsError(f"WEBHOOK_SERVICE_SECRET_KEY_FILE: {exc.message}") from exc
