"""Whole copies of SQLite files, made while they are written to."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from webhook_service.errors import StoreUnavailable

BUSY_TIMEOUT = 10.0


def copy_whole(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, into a file that needs none beside it.

    Writers go on meanwhile. The file appears under its name when all of it is on the disk, and
    only its owner can read it.

    Raises:
        StoreUnavailable: one of the files cannot be used; no target was made.
    """
    made = target.with_name(f".{target.name}.{os.getpid()}")
    with _reported(f"{source} was not copied to {target}"):
        try:
            os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(_read_only(source)) as old, closing(_open(made)) as new:
                old.backup(new)
                # Otherwise it would ask for files beside it, also where nothing can be written.
                new.execute("PRAGMA journal_mode=DELETE")
                require_sound(new)
            _flush(made)
            os.replace(made, target)
            _flush(target.parent)
        finally:
            with suppress(FileNotFoundError):
                made.unlink()


def checkpoint(path: Path) -> bool:
    """Bring what was committed into the database's own file, and cut its log.

    A copy of that file alone, which people make, then has it too. Nobody is waited for, and nobody
    waits: what is in use is left to the next time.

    Returns:
        Whether nothing was left.
    """
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def set_aside(path: Path, to: Path) -> None:
    """Give a database that nobody uses another name.

    Raises:
        StoreUnavailable: somebody uses it.
    """
    with (
        _reported(f"{path} is in use; stop the service and its workers first"),
        closing(_open(path)) as old,
    ):
        # Only with nobody else on it: the files beside it end with this.
        old.execute("PRAGMA journal_mode=DELETE")
    os.replace(path, to)


def require_sound(connection: sqlite3.Connection) -> None:
    """
    Raises:
        DatabaseError: the file is damaged.
    """
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(said)


@contextmanager
def _reported(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise StoreUnavailable(f"{what}: {exc}.") from exc


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
